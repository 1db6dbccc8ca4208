//! Notebooks for Jupyter, VS Code and Colab, made from Databricks source notebooks.
//!
//! A source notebook is a Python file: its first line is [`FIRST_LINE`], cells are parted by `# COMMAND ----------`, and what is not Python
//! stands behind `# MAGIC`. Here that is `%md` alone: the rest has to run as a plain script as well.

use serde_json::{Value, json};

pub const FIRST_LINE: &str = "# Databricks notebook source";
const NEXT_CELL: &str = "# COMMAND ----------";
const MAGIC: &str = "# MAGIC";
const MARKDOWN: &str = "%md";

/// As an `.ipynb` file (nbformat 4.5); nothing for what is no source notebook.
pub fn ipynb(source: &str) -> Option<String> {
    let body = source.strip_prefix(FIRST_LINE)?;
    let cells: Vec<&str> = body.split(NEXT_CELL).map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let cells: Vec<Value> = (1..).zip(cells).map(|(number, cell)| made(number, cell)).collect();
    let notebook = json!({
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    });
    serde_json::to_string_pretty(&notebook).ok().map(|text| text + "\n")
}

fn made(number: usize, cell: &str) -> Value {
    let id = format!("cell-{number}");
    match markdown(cell) {
        Some(text) => json!({"cell_type": "markdown", "id": id, "metadata": {}, "source": lines(&text)}),
        None => json!({
            "cell_type": "code", "id": id, "metadata": {}, "source": lines(cell), "outputs": [], "execution_count": null,
        }),
    }
}

/// The text of a cell that has nothing but `# MAGIC %md`.
fn markdown(cell: &str) -> Option<String> {
    let stripped: Option<Vec<&str>> =
        cell.lines().map(|line| line.strip_prefix(MAGIC).map(|rest| rest.strip_prefix(' ').unwrap_or(rest))).collect();
    let text = stripped?.join("\n");
    text.strip_prefix(MARKDOWN).map(|rest| rest.trim().to_owned())
}

/// Jupyter keeps a cell as its lines, each with the break at its end.
fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "# Databricks notebook source\n# MAGIC %md\n# MAGIC # Title\n# MAGIC\n# MAGIC Text.\n\n# COMMAND ----------\n\n\
                          x = 1\nprint(x)\n\n# COMMAND ----------\n\n# a comment\ny = 2\n";

    #[test]
    fn text_becomes_markdown_and_the_rest_stays_code() {
        let made: Value = serde_json::from_str(&ipynb(SOURCE).unwrap()).unwrap();
        let cells: Vec<(&str, String)> = made["cells"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| {
                let source: Vec<&str> = cell["source"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
                (cell["cell_type"].as_str().unwrap(), source.concat())
            })
            .collect();
        let wanted = [("markdown", "# Title\n\nText."), ("code", "x = 1\nprint(x)"), ("code", "# a comment\ny = 2")];
        assert_eq!(cells, wanted.map(|(kind, text)| (kind, text.to_owned())));
        assert_eq!((made["nbformat"].as_u64(), made["cells"][1]["id"].as_str()), (Some(4), Some("cell-2")));
    }

    #[test]
    fn a_plain_script_is_no_notebook() {
        assert_eq!(ipynb("\"\"\"A script.\"\"\"\n"), None);
    }
}
