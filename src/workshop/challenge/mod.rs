//! A challenge is a folder: `NN-slug/` with `challenge.toml`, `README.md`, `submission.json` (a JSON Schema), solutions, starters made
//! from them, and `wrong/`. `docs/challenges.md` says how one is written.

mod book;
pub mod markers;
pub mod notebook;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::truth::{self, Truth};

pub use book::Challenges;

/// `challenge.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// `c01` and so on.
    pub id: String,
    pub title: String,
    /// One sentence for lists.
    pub summary: String,
    pub track: Track,
    /// For a pair.
    pub minutes: u32,
    /// The rest is for those who are fast.
    pub core: bool,
    pub points: u32,
    /// Topics that are read.
    pub topics: Vec<String>,
    #[serde(skip_serializing)]
    pub truth: TruthSheet,
    pub submission: Submission,
    /// What is said beside each check that fails. The ids are the kind of truth's.
    #[serde(default, rename = "check")]
    pub checks: Vec<CheckText>,
    #[serde(default, rename = "mistake", skip_serializing)]
    pub mistakes: Vec<MistakeText>,
    #[serde(default, rename = "star")]
    pub stars: Vec<StarText>,
    /// Given one at a time.
    #[serde(skip_serializing)]
    pub hints: Vec<String>,
    #[serde(rename = "prompt")]
    pub prompts: Vec<Prompt>,
    #[serde(skip_serializing)]
    pub explain: Explain,
    /// What the student looks at and ticks off. Gives no points.
    #[serde(default)]
    pub self_checks: Vec<String>,
    /// Solutions in this folder, by file, with the client that each is written for.
    pub solutions: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Track {
    Python,
    Spark,
}

/// The client of a notebook.
pub const SPARK: &str = "spark";

/// Which kind of truth, and its parameters.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TruthSheet {
    pub kind: String,
    #[serde(flatten)]
    pub parameters: toml::Table,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    pub to: Place,
    /// What to hand in, in a sentence or two.
    pub what: String,
    pub example: String,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The topic `ws.ID.cNN`.
    ResultsTopic,
    /// `processed-social-feed.ID`, which the student creates.
    OwnTopic,
    /// A JSON document, sent with the check or pasted.
    Receipt,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CheckText {
    pub id: String,
    pub hint: String,
    pub doc: String,
}

/// `message` may name the facts of the mistake as `{name}`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MistakeText {
    pub id: String,
    pub title: String,
    pub message: String,
    pub doc: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StarText {
    pub id: String,
    pub title: String,
    pub points: u32,
}

/// A question for an AI tool, and how to find out whether its answer is right.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    pub ask: String,
    pub verify_by: String,
}

/// One question about one's own result.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    pub question: String,
    pub choices: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub text: String,
    #[serde(default)]
    pub right: bool,
    /// Why it is right, or what is wrong with it.
    pub why: String,
}

/// A folder that has been read.
pub struct Challenge {
    pub sheet: Sheet,
    /// `02-high-value-purchases`.
    pub slug: String,
    pub readme: String,
    /// JSON Schema of what is handed in.
    pub submission_schema: String,
    /// All files, by path inside the folder.
    files: BTreeMap<String, Vec<u8>>,
    pub truth: Box<dyn Truth>,
}

impl Challenge {
    /// The error says what is wrong with which file.
    pub fn read(slug: &str, files: BTreeMap<String, Vec<u8>>) -> Result<Challenge, String> {
        let text = |name: &str| {
            let bytes = files.get(name).ok_or_else(|| format!("{slug}/{name} is missing"))?;
            String::from_utf8(bytes.clone()).map_err(|_| format!("{slug}/{name} is not UTF-8"))
        };
        let written = text("challenge.toml")?;
        let sheet: Sheet = toml::from_str(&written).map_err(|error| {
            let line =
                error.span().and_then(|span| written.get(..span.start)).map_or(1, |before| before.matches('\n').count().saturating_add(1));
            format!("{slug}/challenge.toml, line {line}: {}", error.message())
        })?;
        let truth =
            truth::kind(&sheet.truth.kind, &sheet.truth.parameters).map_err(|error| format!("{slug}/challenge.toml, [truth]: {error}"))?;
        let (readme, submission_schema) = (text("README.md")?, text("submission.json")?);
        for name in sheet.solutions.keys() {
            markers::starter(&text(name)?).map_err(|error| format!("{slug}/{name}: {error}"))?;
        }
        let challenge = Challenge { slug: slug.to_owned(), readme, submission_schema, files, truth, sheet };
        challenge.agrees().map_err(|error| format!("{slug}/challenge.toml: {error}"))?;
        Ok(challenge)
    }

    pub fn id(&self) -> &str {
        &self.sheet.id
    }

    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The names of the starters: one for each solution.
    pub fn starters(&self) -> impl Iterator<Item = String> {
        self.sheet.solutions.keys().map(|name| name.replacen("solution", "starter", 1))
    }

    /// A starter, made from its solution.
    pub fn starter(&self, name: &str) -> Option<String> {
        let solution = self.sheet.solutions.keys().find(|solution| solution.replacen("solution", "starter", 1) == name)?;
        markers::starter(std::str::from_utf8(self.file(solution)?).ok()?).ok()
    }

    /// `starter.ipynb`: a starter that is a notebook, for what opens no Databricks source.
    pub fn starter_notebook(&self, name: &str) -> Option<String> {
        notebook::ipynb(&self.starter(&format!("{}.py", name.strip_suffix(".ipynb")?))?)
    }

    /// The texts of the folder and the ids of the kind of truth belong together.
    fn agrees(&self) -> Result<(), String> {
        let same = |what: &str, kind: &[&str], texts: Vec<&str>| {
            let missing = kind.iter().find(|id| !texts.contains(id));
            let surplus = texts.iter().find(|id| !kind.contains(id));
            match (missing, surplus) {
                (Some(id), _) => Err(format!("no text for the {what} {id:?}")),
                (None, Some(id)) => Err(format!("the kind of truth has no {what} {id:?}")),
                (None, None) => Ok(()),
            }
        };
        same("check", self.truth.checks(), self.sheet.checks.iter().map(|text| text.id.as_str()).collect())?;
        same("mistake", self.truth.mistakes(), self.sheet.mistakes.iter().map(|text| text.id.as_str()).collect())?;
        same("star", self.truth.stars(), self.sheet.stars.iter().map(|text| text.id.as_str()).collect())
    }
}
