"""The OpenAPI document as one page to browse, made here and complete without any other server."""
# The document is free-form JSON, whose members nobody could type.
# pyright: reportAny=false, reportExplicitAny=false

import html
import json
from typing import Any, Final

Json = dict[str, Any]
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem 2rem}
h1{margin-bottom:0} h2{margin-top:2.5rem;text-transform:capitalize}
details{border:1px solid #8884;border-radius:6px;margin:.4rem 0;padding:.3rem .8rem}
summary{cursor:pointer} code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:#8881;border-radius:6px;overflow:auto;padding:.6rem}
.m{border-radius:4px;color:#fff;display:inline-block;font-weight:600;min-width:4rem;
text-align:center}
.get{background:#2a6fb0}.post{background:#2e8540}
.put,.patch{background:#a35f00}.delete{background:#b3261e}
table{border-collapse:collapse} td{padding:.15rem .8rem .15rem 0;vertical-align:top}
@media (prefers-color-scheme:dark){body{background:#16181c;color:#e6e6e6} a{color:#8ab4f8}}
"""


def render(document: Json) -> bytes:
    tags: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    sections = "".join(
        f"<h2>{html.escape(tag)}</h2>{''.join(operations)}" for tag, operations in tags.items()
    )
    schemas = "".join(
        f"<details><summary><code>{html.escape(name)}</code></summary>{_schema(name, schema)}"
        "</details>"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    title = html.escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{html.escape(document['info']['description'])} "
        f'<a href="/api-doc/openapi.json">openapi.json</a></p>'
        f"{sections}<h2>Schemas</h2>{schemas}</html>"
    ).encode()


def _operation(path: str, method: str, operation: Json) -> str:
    parameters = "".join(
        f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{one['in']}</td>"
        f"<td>{'required' if one.get('required') else ''}</td>"
        f"<td><code>{html.escape(json.dumps(one['schema']))}</code></td></tr>"
        for one in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {})
    return (
        f'<details id="{html.escape(operation["operationId"])}"><summary>'
        f'<span class="m {method}">{method.upper()}</span> <code>{html.escape(path)}</code> '
        f"{html.escape(operation['summary'])}</summary>"
        f"<table>{parameters}</table>"
        f"{''.join(_content('Body', content) for content in body.values())}"
        f"{''.join(_response(code, one) for code, one in operation['responses'].items())}"
        f"</details>"
    )


def _response(status: str, response: Json) -> str:
    label = f"{status} {response['description']}"
    contents = response.get("content", {})
    if not contents:
        return f"<p>{html.escape(label)}</p>"
    return "".join(_content(label, content) for content in contents.values())


def _content(label: str, content: Json) -> str:
    return f"<p>{html.escape(label)}: {_reference(content['schema'])}</p>"


def _reference(schema: Json) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name:
        return f'<a href="#schema-{html.escape(name)}"><code>{html.escape(name)}</code></a>'
    return f"<code>{html.escape(json.dumps(schema))}</code>"


def _schema(name: str, schema: Json) -> str:
    # Inside the fold and not on it: a browser opens a fold for what a link leads to inside.
    return f'<pre id="schema-{html.escape(name)}">{html.escape(json.dumps(schema, indent=2))}</pre>'
