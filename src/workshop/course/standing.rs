//! Where everybody stands: for a student, for the instructor, for all.

use std::collections::BTreeMap;

use super::scoreboard::{Board, Frozen, Row, ranked};
use super::shown::{Cell, ClassBoard, ClassStanding, Column, Export, KeptWork, LastVerdict, MistakeCount};
use super::shown::{OwnStanding, Progress, StudentRow, Waits};
use super::work::{Ruling, Standing, Stuck, Work};
use super::{Course, CourseError, Student};
use crate::workshop::verdict::Verdict;
use crate::workshop::{Challenge, Identity};

impl Course {
    /// A student's own, in the order of the challenges.
    pub fn own_progress(&self, student: &Student) -> Progress {
        let works = self.progress.of_student(&student.id);
        let none = Work::default();
        let challenges = self.challenges.all().iter().map(|c| own_standing(c, works.get(c.id()).unwrap_or(&none))).collect();
        let points = self.challenges.all().iter().map(|c| works.get(c.id()).map_or(0, |work| work.points(c.sheet.points))).sum();
        Progress { student: student.id.clone(), name: student.name.clone(), points, challenges }
    }

    /// In one word.
    pub fn status(&self, student: &Student, challenge: &Challenge) -> Standing {
        self.progress.work(&student.id, challenge.id()).standing()
    }

    /// Everybody who takes part.
    pub fn students(&self) -> Vec<Student> {
        match &self.workshop {
            None => vec![Student::alone()],
            Some(workshop) => workshop.roster().identities().map(|identity: &Identity| Student::of(identity)).collect(),
        }
    }

    /// The board, the mistakes by count, and who waits for help.
    pub fn class(&self) -> ClassBoard {
        let (students, submitted) = (self.students(), self.progress.submitted());
        let (mut mistakes, mut queue) = (BTreeMap::<(String, String), (u32, u32)>::new(), Vec::new());
        let board: Vec<StudentRow> = students
            .iter()
            .map(|student| {
                let mut cells = BTreeMap::new();
                self.progress.each_of(&student.id, |id, work| {
                    for (mistake, count) in &work.mistakes {
                        let entry = mistakes.entry((id.to_owned(), mistake.clone())).or_default();
                        *entry = (entry.0.saturating_add(*count), entry.1.saturating_add(1));
                    }
                    queue.extend(work.stuck.clone().map(|stuck| (stuck, student, id.to_owned())));
                    cells.extend(self.challenges.get(id).map(|challenge| (id.to_owned(), class_standing(challenge, work))));
                });
                let report_ms = submitted.get(&student.id).map(|(at, _)| *at);
                StudentRow { id: student.id.clone(), name: student.name.clone(), report_ms, challenges: cells }
            })
            .collect();
        queue.sort_by(|a, b| a.0.since_ms.cmp(&b.0.since_ms).then_with(|| a.1.id.cmp(&b.1.id)));
        let waits = |(stuck, student, challenge): (Stuck, &Student, String)| Waits {
            student: student.id.clone(),
            name: student.name.clone(),
            challenge,
            since_ms: stuck.since_ms,
            note: stuck.note,
        };
        let mut mistakes: Vec<_> = mistakes.into_iter().collect();
        mistakes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let told = |((challenge, id), (count, students)): ((String, String), (u32, u32))| {
            let sheet = self.challenges.get(&challenge).map(|challenge| &challenge.sheet);
            let title = sheet.and_then(|sheet| sheet.mistakes.iter().find(|text| text.id == id)).map(|text| text.title.clone());
            MistakeCount { challenge, id, title, count, students }
        };
        let column = |c: &Challenge| Column { id: c.id().to_owned(), title: c.sheet.title.clone(), points: c.sheet.points };
        ClassBoard {
            challenges: self.challenges.all().iter().map(column).collect(),
            students: board,
            mistakes: mistakes.into_iter().map(told).collect(),
            stuck: queue.into_iter().map(waits).collect(),
        }
    }

    pub fn board(&self) -> Board {
        let board = self.progress.board();
        // A start between two writes may have left it behind.
        let frozen = board.frozen.filter(|frozen| !frozen.with_room || self.noticeboard.is_frozen());
        Board { frozen, ..board }
    }

    /// What the leaderboard shows: as it is, or as it was when it was frozen.
    pub fn leaderboard(&self) -> Vec<Row> {
        self.board().frozen.map_or_else(|| self.ranking(), |frozen| frozen.rows)
    }

    fn ranking(&self) -> Vec<Row> {
        let of = |student: Student| {
            let (mut points, mut solved) = (0_u32, 0);
            self.progress.each_of(&student.id, |id, work| {
                let Some(challenge) = self.challenges.get(id) else { return };
                points = points.saturating_add(work.points(challenge.sheet.points));
                solved += usize::from(matches!(work.standing(), Standing::Pass | Standing::Granted));
            });
            (student.id, (student.name, points, solved))
        };
        ranked(self.students().into_iter().map(of).collect())
    }

    /// Switches the leaderboard on or off, freezes it as it is or lets it go on.
    pub async fn set_leaderboard(&self, on: Option<bool>, frozen: Option<bool>) -> Result<Board, CourseError> {
        let before = self.board();
        let frozen = match frozen {
            Some(true) => Some(Frozen { with_room: false, ..before.frozen.clone().unwrap_or_else(|| self.as_it_is()) }),
            // A frozen room holds it; it goes on with the room.
            Some(false) if self.room().frozen => {
                Some(Frozen { with_room: true, ..before.frozen.clone().unwrap_or_else(|| self.as_it_is()) })
            }
            Some(false) => None,
            None => before.frozen.clone(),
        };
        let board = Board { on: on.unwrap_or(before.on), frozen };
        self.keep_board(&board).await?;
        Ok(board)
    }

    fn as_it_is(&self) -> Frozen {
        Frozen { at_ms: (self.now)(), with_room: false, rows: self.ranking() }
    }

    async fn keep_board(&self, board: &Board) -> Result<(), CourseError> {
        if *board != self.progress.board() {
            self.progress.set_board(board.clone()).await?;
        }
        self.noticeboard.show_leaderboard(board.on);
        Ok(())
    }

    /// Freezes it with the room, or lets it go on if that is what froze it.
    pub(super) async fn freeze_board(&self, is_frozen: bool) -> Result<(), CourseError> {
        let board = self.progress.board();
        let frozen = match board.frozen.clone() {
            None if is_frozen => Some(Frozen { with_room: true, ..self.as_it_is() }),
            Some(frozen) if !is_frozen && frozen.with_room => None,
            frozen => frozen,
        };
        self.keep_board(&Board { frozen, ..board }).await
    }

    /// All that is kept of everybody, but for what answers are told apart by.
    pub fn export(&self) -> Export {
        let mut students = BTreeMap::<String, BTreeMap<String, KeptWork>>::new();
        self.progress.each(|student, challenge, work| {
            let (standing, first_pass_ms) = (work.standing(), work.first_pass_ms());
            let kept = KeptWork { work: Work { answers: Vec::new(), ..work.clone() }, standing, first_pass_ms };
            students.entry(student.to_owned()).or_default().insert(challenge.to_owned(), kept);
        });
        Export { version: 1, at_ms: (self.now)(), students, leaderboard: self.progress.board() }
    }
}

fn cell(challenge: &Challenge, work: &Work) -> Cell {
    Cell {
        status: work.standing(),
        attempts: work.attempts,
        first_pass_ms: work.first_pass_ms(),
        hints: work.hints,
        score: work.points(challenge.sheet.points),
        stars: work.stars.clone(),
        stuck: work.stuck.is_some(),
        ruling: work.ruling,
    }
}

fn own_standing(challenge: &Challenge, work: &Work) -> OwnStanding {
    let last = |last: &Verdict| LastVerdict { status: last.status, message: last.message.clone(), at_ms: last.at_ms };
    OwnStanding {
        id: challenge.id().to_owned(),
        title: challenge.sheet.title.clone(),
        points: challenge.sheet.points,
        cell: cell(challenge, work),
        passed_ms: work.passed_ms,
        mistakes: work.mistakes.clone(),
        explained: work.explained.as_ref().map(|explained| explained.right),
        last: work.last.as_ref().map(last),
    }
}

fn class_standing(challenge: &Challenge, work: &Work) -> ClassStanding {
    let unread = work.unread && work.passed_ms.is_some();
    let last_ms = work.last.as_ref().map(|verdict| verdict.at_ms).or(work.began_ms);
    ClassStanding { cell: cell(challenge, work), unread, note: work.stuck.as_ref().map(|stuck| stuck.note.clone()), last_ms }
}

impl Ruling {
    pub fn named(name: &str) -> Option<Option<Ruling>> {
        match name {
            "skipped" => Some(Some(Ruling::Skipped)),
            "granted" => Some(Some(Ruling::Granted)),
            "none" => Some(None),
            _ => None,
        }
    }
}
