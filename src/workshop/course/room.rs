//! What the instructor says to the room, and stops in it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;

use super::{Course, CourseError, Student};
use crate::cluster::INSTRUCTOR;
use crate::workshop::{Announcement, Room, Timer};

const TEXT_LETTERS_MAX: usize = 500;
const LABEL_LETTERS_MAX: usize = 60;
const MINUTES_MAX: f64 = 600.0;

/// What shall be another; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoomWish {
    pub announcement: Option<Option<String>>,
    pub frozen: Option<bool>,
    pub timer: Option<Option<TimerWish>>,
    /// Minutes for which the timer that there is goes on longer.
    pub longer: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimerWish {
    /// From now on; 0.1 to 600.
    pub minutes: f64,
    /// What for.
    #[serde(default)]
    pub label: String,
}

impl Course {
    pub fn room(&self) -> Room {
        self.noticeboard.room()
    }

    /// For whoever wants to hear of changes.
    pub fn room_channel(&self) -> Arc<watch::Sender<Room>> {
        self.noticeboard.channel()
    }

    /// Whether what somebody hands in counts. What the instructor shows to a frozen room does not count anyway.
    pub(super) fn still_goes_on(&self, student: &Student) -> Result<(), CourseError> {
        let stops = self.noticeboard.is_frozen() && student.id != INSTRUCTOR;
        if stops { Err(CourseError::Frozen) } else { Ok(()) }
    }

    /// Goes on to its end when whoever asked has gone.
    pub async fn set_room(self: &Arc<Self>, wish: RoomWish) -> Result<Room, CourseError> {
        let now = (self.now)();
        let announcement = wish.announcement.map(|text| text.map(|text| announced(&text)).transpose()).transpose()?.map(Option::flatten);
        let timer = wish.timer.map(|timer| timer.map(checked).transpose()).transpose()?;
        let longer = wish.longer.map(minutes_ms).transpose()?;
        if longer.is_some() && (timer.is_some() || self.room().timer.is_none()) {
            return Err(wrong("no timer runs that could go on longer".to_owned(), "start one: send \"timer\" with its \"minutes\", alone"));
        }
        let (course, frozen) = (Arc::clone(self), wish.frozen);
        let changing = tokio::spawn(async move {
            let change = |record: &mut crate::workshop::RoomRecord| {
                if let Some(text) = announcement {
                    let is_same = record.announcement.as_ref().map(|old| &old.text) == text.as_ref();
                    if !is_same {
                        record.announcement = text.map(|text| Announcement { text, at_ms: now });
                    }
                }
                if let Some(timer) = timer {
                    record.timer = timer.map(|TimerWish { minutes, label }| Timer { ends_ms: now.plus_ms(to_ms(minutes)), label });
                }
                if let (Some(longer_ms), Some(timer)) = (longer, &mut record.timer) {
                    timer.ends_ms = timer.ends_ms.max(now).plus_ms(longer_ms).min(now.plus_ms(to_ms(MINUTES_MAX)));
                }
                record.frozen = frozen.unwrap_or(record.frozen);
            };
            course.noticeboard.change(change, now).await?;
            if let Some(frozen) = frozen {
                course.freeze_board(frozen).await?;
            }
            Ok(course.room())
        });
        changing.await.unwrap_or(Err(CourseError::Busy { what: "the room could not be changed", wait: 1 }))
    }
}

fn wrong(error: String, fix: &str) -> CourseError {
    CourseError::Wrong { error, fix: fix.to_owned() }
}

/// `None` for a text without letters.
fn announced(text: &str) -> Result<Option<String>, CourseError> {
    let text: String = text.trim().chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect();
    if text.chars().count() > TEXT_LETTERS_MAX {
        return Err(wrong(format!("an announcement has at most {TEXT_LETTERS_MAX} letters"), "say it shorter"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Of minutes that were checked: they are few.
fn to_ms(minutes: f64) -> i64 {
    (minutes * 60_000.0).round() as i64
}

fn minutes_ms(minutes: f64) -> Result<i64, CourseError> {
    if !(0.1..=MINUTES_MAX).contains(&minutes) {
        return Err(wrong("a timer takes 0.1 to 600 minutes".to_owned(), "send minutes within that; null takes the timer away"));
    }
    Ok(to_ms(minutes))
}

fn checked(timer: TimerWish) -> Result<TimerWish, CourseError> {
    minutes_ms(timer.minutes)?;
    let label: String = timer.label.trim().chars().filter(|letter| !letter.is_control()).collect();
    if label.chars().count() > LABEL_LETTERS_MAX {
        return Err(wrong(format!("a timer's label has at most {LABEL_LETTERS_MAX} letters"), "say it shorter"));
    }
    Ok(TimerWish { label, ..timer })
}
