//! What the pages on challenges share: the course, and the student that a request is about.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;

use super::HttpState;
use super::answer::Refused;
use super::caller::Caller;
use crate::model::ErrorCode;
use crate::workshop::{Course, CourseError, Role, Student};

pub(super) fn course(state: &HttpState) -> Result<&Arc<Course>, Refused> {
    let none = || Refused::new(StatusCode::NOT_FOUND, "there are no challenges here", "start a broker with headwater serve");
    state.course.as_ref().ok_or_else(none)
}

impl From<CourseError> for Refused {
    fn from(error: CourseError) -> Refused {
        let (status, fix) = match &error {
            CourseError::Unknown(_) => (StatusCode::NOT_FOUND, "the list of challenges has all of them".to_owned()),
            CourseError::NoStudent(_) => (StatusCode::NOT_FOUND, "the class board lists everybody".to_owned()),
            CourseError::Frozen => (StatusCode::CONFLICT, "what you have handed in stays; check again when the room goes on".to_owned()),
            CourseError::Busy { what, wait } => return Refused::too_many(what, Duration::from_secs(*wait)),
            CourseError::Wrong { fix, .. } => (StatusCode::BAD_REQUEST, fix.clone()),
            CourseError::Cluster(error) if error.code == ErrorCode::UnknownTopicOrPartition => {
                (StatusCode::CONFLICT, "the streams may be starting anew; try again in a moment".to_owned())
            }
            CourseError::Cluster(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "try again; if it stays so, the broker's log says more".to_owned())
            }
        };
        Refused::new(status, error.to_string(), fix)
    }
}

/// Of the routes that have no other query than whom they are about.
#[derive(Default, Deserialize, JsonSchema)]
pub(super) struct OfStudent {
    /// Whom it is about: the instructor may name somebody else.
    student: Option<String>,
}

/// Whom a request is about: whoever asks, or the one that the instructor names by `?student=`.
pub(super) struct About {
    pub student: Student,
}

impl FromRequestParts<HttpState> for About {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<About, Refused> {
        let course = course(state)?;
        let named = Query::<OfStudent>::try_from_uri(&parts.uri).map(|Query(named)| named.student).unwrap_or_default();
        let caller = parts.extensions.get::<Caller>();
        let own = caller.and_then(|caller| own(state, caller));
        let Some(named) = named.filter(|named| own.as_ref().is_none_or(|own| own.id != *named)) else {
            let nobody = || Refused::new(StatusCode::UNAUTHORIZED, "nobody is logged in", "log in (POST /api/login)");
            return own.map(|student| About { student }).ok_or_else(nobody);
        };
        if caller.is_none_or(|caller| caller.role != Role::Instructor) {
            return Err(Refused::new(StatusCode::FORBIDDEN, "this is somebody else's", "leave ?student= out: it shows what is yours"));
        }
        Ok(About { student: course.student(&named)? })
    }
}

/// As whom somebody works on challenges.
pub(super) fn own(state: &HttpState, caller: &Caller) -> Option<Student> {
    match (&state.workshop, &caller.identity, caller.role) {
        (None, ..) => Some(Student::alone()),
        (Some(_), Some(identity), _) => Some(Student::of(identity)),
        (Some(_), None, Role::Instructor) => Some(Student::instructor()),
        _ => None,
    }
}
