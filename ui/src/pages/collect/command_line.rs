//! Arguments of a program as one line of text, quoted as in a shell.
//!
//! A backslash only escapes a space, a quote or another backslash: Windows paths survive being typed as they are.

/// Splits a line into arguments. Nothing is expanded: `$HOME` and `*` stay as they are.
///
/// # Errors
/// A quote that is opened and never closed.
pub(crate) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') if chars.peek().is_some_and(|next| is_escapable(*next, quote)) => {
                current.get_or_insert_default().extend(chars.next());
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => arguments.extend(current.take()),
            (_, c) => current.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!("A {open} is opened and never closed."));
    }
    arguments.extend(current);
    Ok(arguments)
}

/// Writes arguments as a line that [`split`] reads as the same arguments.
pub(crate) fn join(arguments: &[String]) -> String {
    let quoted: Vec<String> = arguments.iter().map(|argument| quote(argument)).collect();
    quoted.join(" ")
}

fn is_escapable(next: char, quote: Option<char>) -> bool {
    match quote {
        None => next.is_whitespace() || matches!(next, '\'' | '"' | '\\'),
        Some(_) => matches!(next, '"' | '\\'),
    }
}

fn quote(argument: &str) -> String {
    let plain = !argument.is_empty()
        && !argument.chars().any(|c| c.is_whitespace() || matches!(c, '\'' | '"'))
        && !argument.contains("\\\\")
        && !argument.ends_with('\\');
    if plain {
        argument.to_owned()
    } else if !argument.contains('\'') {
        format!("'{argument}'")
    } else {
        format!("\"{}\"", argument.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
