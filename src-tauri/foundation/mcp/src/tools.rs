//! A server's list of tools.

use std::collections::HashSet;

use tw_artifact::{Json, ToolDefinition, ToolHints, ToolInfo};

use crate::schema::schema_problem;
use crate::toolbox::plain_name;

/// Reads `tools` of one page of `tools/list`. A tool that is wrong in itself is listed with its `problem`.
pub(crate) fn read_tools(result: &Json, disabled: &[String], into: &mut Vec<ToolInfo>) {
    for tool in result.get("tools").and_then(Json::as_array).unwrap_or_default() {
        into.push(read_tool(tool, disabled));
    }
}

/// Marks all but the first of tools that share a name: a call by that name could mean either.
pub(crate) fn mark_duplicates(tools: &mut [ToolInfo]) {
    let mut seen = HashSet::new();
    for tool in tools {
        if !seen.insert(tool.name.clone()) && tool.problem.is_none() {
            tool.problem = Some("the server lists another tool under the same name before this one".to_owned());
        }
    }
}

fn read_tool(tool: &Json, disabled: &[String]) -> ToolInfo {
    let text = |key: &str| tool.get(key).and_then(Json::as_str).map(str::to_owned);
    let name = text("name").unwrap_or_default();
    let annotations = tool.get("annotations");
    let hint = |key: &str, default| annotations.and_then(|it| it.get(key)).and_then(Json::as_bool).unwrap_or(default);
    let claims = ToolHints::default();
    let description = text("description").unwrap_or_default();
    let input_schema = tool.get("inputSchema").cloned().unwrap_or_default();
    let exposed_name = plain_name(&name);
    let problem = name_problem(&name).or_else(|| schema_problem(&input_schema));
    let tokens = estimate_tokens(&ToolDefinition::new(&exposed_name, &description, input_schema.clone()));
    ToolInfo {
        title: text("title").or_else(|| annotations?.get("title")?.as_str().map(str::to_owned)),
        enabled: !disabled.contains(&name),
        hints: ToolHints {
            read_only: hint("readOnlyHint", claims.read_only),
            destructive: hint("destructiveHint", claims.destructive),
            idempotent: hint("idempotentHint", claims.idempotent),
            open_world: hint("openWorldHint", claims.open_world),
        },
        name,
        exposed_name,
        description,
        input_schema,
        tokens,
        problem,
    }
}

fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the tool has no name".to_owned());
    }
    (name.chars().count() > 128).then(|| "the tool's name is longer than 128 characters".to_owned())
}

/// About how many tokens a definition takes: 4.5 characters each, which is within a tenth of what Qwen3's tokenizer
/// says to the definitions of Playwright's tools.
pub(crate) fn estimate_tokens(definition: &ToolDefinition) -> u32 {
    let chars = definition.0.to_text().chars().count();
    u32::try_from((chars * 2).div_ceil(9)).unwrap_or(u32::MAX)
}
