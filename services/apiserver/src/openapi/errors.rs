//! How the document describes failures.

use serde_json::{Map, Value, json};

use crate::api::codes;

/// All codes as a table in Markdown, in the order of their numbers, folded up: it is long.
pub(super) fn table() -> String {
    let mut sorted = codes::ALL.to_vec();
    sorted.sort_by_key(|code| (code.status, code.subcode));
    let rows: String = sorted
        .iter()
        .map(|code| format!("| {} | {} | {} |\n", code.status, code.subcode, code.text))
        .collect();
    format!(
        "<details><summary>All errors</summary>\n\n| code | subcode | message |\n| --- | --- | --- |\n{rows}\n</details>\n"
    )
}

/// The parts of the envelope.
pub(super) fn schemas() -> Map<String, Value> {
    let version = json!({"type": ["string", "number", "null"], "examples": ["2.34"]});
    let meta = json!({
        "type": "object",
        "description": "What is known of the call and how it ended.",
        "required": ["id", "trx", "endpoint", "result_code", "result_subcode", "result_msg", "error_stack", "error_data"],
        "properties": {
            "id": {"type": "string", "description": "Id of this call."},
            "trx": {"type": "string", "description": "The header `X-Clearml-Trx`, else the id."},
            "endpoint": {
                "type": "object",
                "required": ["name", "requested_version", "actual_version"],
                "properties": {
                    "name": {"type": "string"},
                    "requested_version": version,
                    "actual_version": version,
                },
            },
            "result_code": {"type": "integer", "description": "The HTTP status."},
            "result_subcode": {"type": "integer", "description": "What went wrong, see the table of errors; 0 on success."},
            "result_msg": {"type": "string", "description": "`OK`, or the error in words."},
            "error_stack": {"type": ["string", "null"]},
            "error_data": {"type": "object"},
        },
    });
    let error = json!({
        "type": "object",
        "required": ["meta", "data"],
        "properties": {"meta": {"$ref": "#/components/schemas/meta"}, "data": {"type": "object"}},
    });
    Map::from_iter([("meta".to_owned(), meta), ("error".to_owned(), error)])
}

/// The answers to calls that fail.
pub(super) fn responses() -> Value {
    let response = |description: &str| {
        json!({
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}},
        })
    };
    json!({
        "BadRequest": response("The request can't be carried out; `result_subcode` says why."),
        "Unauthorized": response("No valid credentials."),
        "Forbidden": response("The caller may not do this."),
        "Error": response("Any other failure."),
    })
}
