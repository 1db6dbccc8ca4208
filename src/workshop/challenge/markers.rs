//! Starters are made from solutions, so that they cannot drift apart.
//!
//! | in the solution | in the starter | as the solution is shown |
//! |---|---|---|
//! | `### BEGIN SOLUTION` | goes | goes |
//! | lines up to the next marker | go | stay |
//! | `#> text` | `text`, as far to the right as the `#` | goes |
//! | `### END SOLUTION` | goes | goes |
//!
//! Markers may be indented. `#>` lines may only stand between `BEGIN` and `END`.

const BEGIN: &str = "### BEGIN SOLUTION";
const END: &str = "### END SOLUTION";
const STARTER: &str = "#>";

/// What a student begins with.
pub fn starter(solution: &str) -> Result<String, String> {
    split(solution).map(|(starter, _)| starter)
}

/// The solution without its markers.
pub fn shown(solution: &str) -> Result<String, String> {
    split(solution).map(|(_, shown)| shown)
}

fn split(solution: &str) -> Result<(String, String), String> {
    let (mut starter, mut shown, mut inside) = (String::new(), String::new(), false);
    let push = |text: &mut String, line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for (number, line) in (1..).zip(solution.lines()) {
        let (indent, text) = line.split_at(line.len().saturating_sub(line.trim_start().len()));
        match (inside, text.trim_end()) {
            (false, BEGIN) => inside = true,
            (true, END) => inside = false,
            (true, BEGIN) => return Err(format!("line {number}: a second {BEGIN}")),
            (false, END) => return Err(format!("line {number}: {END} without a beginning")),
            (true, text) if text.starts_with(STARTER) => {
                let kept = text.strip_prefix(STARTER).unwrap_or_default();
                let kept = kept.strip_prefix(' ').unwrap_or(kept);
                push(&mut starter, if kept.is_empty() { String::new() } else { format!("{indent}{kept}") }.as_str());
            }
            (false, text) if text.starts_with(STARTER) => return Err(format!("line {number}: {STARTER} outside of a solution")),
            (true, _) => push(&mut shown, line),
            (false, _) => {
                push(&mut starter, line);
                push(&mut shown, line);
            }
        }
    }
    if inside { Err(format!("{BEGIN} without an end")) } else { Ok((starter, shown)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starter_has_the_lines_for_starters_in_the_solutions_place() {
        let solution = "a = 1\nif a:\n    ### BEGIN SOLUTION\n    b = 2\n    #> todo(\"b\")\n    #>\n    ### END SOLUTION\nc = 3\n";
        assert_eq!(starter(solution).unwrap(), "a = 1\nif a:\n    todo(\"b\")\n\nc = 3\n");
        assert_eq!(shown(solution).unwrap(), "a = 1\nif a:\n    b = 2\nc = 3\n");
    }

    #[test]
    fn markers_that_do_not_pair_are_told() {
        for (wrong, told) in [
            ("### BEGIN SOLUTION\nx", "without an end"),
            ("### END SOLUTION\n", "line 1"),
            ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n", "line 2"),
            ("x\n#> y\n", "line 2"),
        ] {
            assert!(starter(wrong).unwrap_err().contains(told), "{wrong:?}");
        }
    }
}
