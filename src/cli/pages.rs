//! Asks the web side of a running broker, as the instructor where that is wanted.

use std::time::Duration;

use clap::{Arg, ArgMatches};
use serde_json::{Value, json};

/// Longer than an order waits for the generators.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const UNAUTHORIZED: u16 = 401;

/// A running broker's web side.
#[derive(Clone, Debug, PartialEq)]
pub struct Pages {
    /// `HOST:PORT`.
    pub http: String,
    /// The instructor's password.
    pub secret: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    #[error("cannot reach http://{address}: {message}; is the broker running, and is --http its web address?")]
    Unreachable { address: String, message: String },
    #[error("{0}")]
    Refused(String),
    #[error("http://{address} is a classroom's, and this is for its instructor; give the secret in HEADWATER_INSTRUCTOR_SECRET")]
    NoSecret { address: String },
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
}

/// Where the broker is and how to be let in.
pub(super) fn arguments() -> [Arg; 2] {
    [
        Arg::new("http")
            .long("http")
            .value_name("HOST:PORT")
            .default_value("127.0.0.1:8080")
            .env("HEADWATER_HTTP")
            .global(true)
            .help("Web address of the running broker"),
        // No flag: other users of the machine see what is typed.
        Arg::new("secret")
            .long("secret")
            .value_name("SECRET")
            .env("HEADWATER_INSTRUCTOR_SECRET")
            .hide_env_values(true)
            .global(true)
            .help("The instructor's secret, where people log in; better given in the variable than typed"),
    ]
}

impl Pages {
    pub(super) fn of(matches: &ArgMatches) -> Option<Pages> {
        Some(Pages { http: matches.get_one::<String>("http")?.clone(), secret: matches.get_one::<String>("secret").cloned() })
    }

    /// The answer's JSON, after a login if it takes one.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, PagesError> {
        let answer = self.let_in(method, path, body)?;
        let value: Value = serde_json::from_str(&self.told(answer)?).unwrap_or_default();
        if value.is_object() || value.is_array() { Ok(value) } else { Err(self.unexpected(200)) }
    }

    /// The answer as it came.
    pub fn ask_text(&self, path: &str) -> Result<String, PagesError> {
        self.told(self.let_in("GET", path, None)?)
    }

    fn let_in(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String), PagesError> {
        match self.send(method, path, body, None)? {
            (UNAUTHORIZED, _) => {
                let address = self.http.clone();
                let secret = self.secret.as_ref().ok_or(PagesError::NoSecret { address })?;
                let login = json!({ "user": "instructor", "password": secret });
                let session = self.told(self.send("POST", "/api/login", Some(&login), None)?)?;
                let session: Value = serde_json::from_str(&session).unwrap_or_default();
                self.send(method, path, body, session["token"].as_str())
            }
            answer => Ok(answer),
        }
    }

    pub(super) fn send(&self, method: &str, path: &str, body: Option<&Value>, token: Option<&str>) -> Result<(u16, String), PagesError> {
        let unreachable = |error: ureq::Error| PagesError::Unreachable { address: self.http.clone(), message: error.to_string() };
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).http_status_as_error(false).build().into();
        let url = format!("http://{}{path}", self.http);
        let text = body.cloned().unwrap_or_else(|| json!({})).to_string();
        let bearer = format!("Bearer {}", token.unwrap_or_default());
        let answer = match method {
            "GET" => token.map_or_else(|| agent.get(&url), |_| agent.get(&url).header("authorization", &bearer)).call(),
            "DELETE" => token.map_or_else(|| agent.delete(&url), |_| agent.delete(&url).header("authorization", &bearer)).call(),
            _ => {
                let request = if method == "PUT" { agent.put(&url) } else { agent.post(&url) };
                let request = if token.is_some() { request.header("authorization", &bearer) } else { request };
                request.content_type("application/json").send(text)
            }
        };
        let mut answer = answer.map_err(unreachable)?;
        let text = answer.body_mut().read_to_string().map_err(unreachable)?;
        Ok((answer.status().as_u16(), text))
    }

    fn told(&self, (status, text): (u16, String)) -> Result<String, PagesError> {
        if (200..300).contains(&status) {
            return Ok(text);
        }
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let why = match (value["error"].as_str(), value["fix"].as_str()) {
            (Some(error), Some(fix)) => format!("{error}; {fix}"),
            (Some(error), None) => error.to_owned(),
            _ => return Err(self.unexpected(status)),
        };
        Err(PagesError::Refused(why))
    }

    pub(super) fn unexpected(&self, status: u16) -> PagesError {
        PagesError::Refused(format!("http://{} answered {status}, and not as Headwater does", self.http))
    }
}
