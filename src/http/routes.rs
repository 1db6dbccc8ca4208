//! Every page, one line each, with who may ask for it. The router is built from this table alone, so nothing is served that has no role.

use axum::routing::{MethodRouter, delete, get, post, put};
use serde_json::Value;

use super::course::OfStudent;
use super::openapi::{Answer, Content, Events, File, Shape, Text};
use super::{
    HttpState, challenges, checks, class, console, content, dashboard, doctor, download, generators, groups_page, health, history,
    join_code, joining, live_events, live_page, medallion, metrics, openapi, overview, plain, produce, progress, records, report, requests,
    reset, room, schemas, seen, server_info, settings, student_tool, students, tickets, topic_page, topics, wheels,
};
use crate::generators::incidents::{Command, Wish};
use crate::workshop::course::{ClassBoard, ExplainAnswer, Export, Handed, Hint, OwnProgress, Saved, Sheet, Told};
use crate::workshop::{Credential, Removed, Role, Room, Ticket};

pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// The least that one has to be. A broker without a workshop takes everybody for its instructor.
    pub who: Role,
    pub about: &'static str,
    /// The function that answers, with its module: `checks.verdict`.
    pub handler: &'static str,
    pub(super) endpoint: fn() -> MethodRouter<HttpState>,
}

/// What a route asks and answers. Only what makes the OpenAPI document needs it: apart from `Route`, so that no schema is part of the program.
pub struct Shapes {
    /// None or one.
    pub query: &'static [Shape],
    /// None or one.
    pub body: &'static [Shape],
    /// More than one where `?format=` chooses.
    pub answers: &'static [Content],
}

/// A row: `METHOD "PATH" ROLE module::handler (query: T) (body: T) -> T, "what it is for";`. Query and body may be left out. The answer is a
/// type that becomes JSON, or `Text`, `File`, `Events` or `Events<T>` (`openapi.rs`), or several of these with `|` between.
macro_rules! routes {
    ($($method:ident $path:literal $who:ident $module:ident::$handler:ident
        $((query: $query:ty))? $((body: $body:ty))? $(-> $($answer:ty)|+)?, $about:literal;)+) => {
        pub const ROUTES: &[Route] = &[
            $(Route {
                method: stringify!($method),
                path: $path,
                who: Role::$who,
                about: $about,
                handler: concat!(stringify!($module), ".", stringify!($handler)),
                endpoint: || $method($module::$handler),
            },)+
        ];

        /// Those of the routes, in the same order.
        pub const SHAPES: &[Shapes] = &[
            $(Shapes {
                query: &[$(openapi::parameters::<$query>)?],
                body: &[$(openapi::shape::<$body>)?],
                answers: &[$($(<$answer as Answer>::CONTENT),+)?],
            },)+
        ];
    };
}

#[rustfmt::skip]
routes! {
    get    "/"                            Nobody     dashboard::page -> File, "the dashboard";
    get    "/{page}"                      Nobody     dashboard::page -> File, "the same, at one of its pages";
    get    "/{page}/{*rest}"              Nobody     dashboard::page -> File, "the same, at a part of one";
    get    "/plain"                       Nobody     plain::page -> File, "address, first program and topics, without script";
    get    "/plain.css"                   Nobody     plain::style -> File, "its style";
    get    "/healthz"                     Nobody     health::healthz -> Text,  "200, or 503 and the reason; under any host name";
    get    "/metrics"                     Instructor metrics::metrics -> Text, "for Prometheus";
    get    "/assets/{name}"               Nobody     dashboard::asset -> File, "the dashboard's own files";
    get    "/schemas/{name}"              Nobody     schemas::schema -> File, "JSON Schema of a stream";
    get    "/ca.pem"                      Nobody     server_info::ca_pem -> File, "the certificate that signed ours; 404 when there is none";
    get    "/headwater.pyz"               Nobody     student_tool::as_zipapp -> File, "the student's tool, one file for Python";
    get    "/headwater_student-0.1.0-py3-none-any.whl" Nobody student_tool::as_wheel -> File, "the same as a wheel";
    get    "/wheels"                      Nobody     wheels::with_slash -> Text, "leads to the next";
    get    "/wheels/"                     Nobody     wheels::projects -> Text, "packages of `--wheelhouse` for `pip install --index-url` (PEP 503); 404 without one";
    get    "/wheels/{project}"            Nobody     wheels::with_slash -> Text, "leads to the next";
    get    "/wheels/{project}/"           Nobody     wheels::project -> Text, "a project's files, with their SHA-256";
    get    "/wheels/{project}/{file}"     Nobody     wheels::file -> File, "one of them";
    get    "/api/openapi.json"            Nobody     openapi::document -> Value, "all of this as OpenAPI 3.1";
    get    "/api/server"                  Nobody     server_info::server -> server_info::Server, "version, mode, listeners with the address to use";
    get    "/api/settings"                Nobody     settings::settings (query: settings::SettingsQuery) -> Text, "a first program for `?client=`, at `&listener=`";
    post   "/api/join"                    Nobody     joining::join (body: joining::Join) -> joining::Arrived, "`{code, invite?}`: an identity with its password and a session";
    post   "/api/login"                   Nobody     joining::login (body: joining::Login) -> joining::LoggedIn, "`{user, password}`: a session";
    post   "/api/logout"                  Nobody     joining::logout (body: joining::Logout) -> joining::LoggedOut, "ends the session; with `{everywhere: true}` all of the user's";
    get    "/api/me"                      Nobody     joining::me -> joining::Me, "who is asking";
    post   "/api/me/password"             Student    joining::password -> joining::NewPassword, "a new password; the old one and other sessions end";
    get    "/api/overview"                Student    overview::overview -> overview::Overview, "topics, groups, rates; students see the streams and what is theirs";
    get    "/api/topics"                  Student    topics::list (query: topics::ListTopics) -> topics::TopicList, "the topics one may see; `?internal=true`: with the broker's own, for the instructor";
    post   "/api/topics"                  Student    topics::create (body: topics::NewTopicAsk) -> topics::MadeTopic, "`{name, partitions?, configs?}`: makes one of one's own";
    get    "/api/topics/{name}"           Student    topic_page::show -> topic_page::TopicPage, "one topic: fields, partitions, configs, groups, templates";
    delete "/api/topics/{name}"           Student    topics::delete -> topics::DeletedTopic, "deletes one of one's own";
    get    "/api/topics/{name}/records"   Student    records::browse (query: records::Browse) -> records::RecordPage, "records by newest, oldest, offset or time, with a filter and cursors";
    post   "/api/topics/{name}/records"   Student    produce::produce (body: produce::ProduceAsk) -> produce::ProducedRecords, "`{partition?, key?, value?, headers?, copies?, ...}`: writes a record";
    get    "/api/topics/{name}/records/{partition}/{offset}" Student records::one -> content::StreamRecord, "one record whole";
    get    "/api/topics/{name}/download"  Student    download::download (query: download::DownloadAsk) -> File, "records as a file; `?format=csv`, `json` or `ndjson`, and what browsing takes";
    post   "/api/me/reset"                Student    reset::mine (body: reset::ResetAsk) -> reset::ResetAnswer, "`{}`: which topics and groups of one's own go; `{confirm}`: they do";
    post   "/api/reset"                   Instructor reset::everything (body: reset::ResetAsk) -> reset::ResetAnswer, "`{}`: what dies; `{confirm, secret}`: it does, and the streams begin anew";
    get    "/api/seen"                    Student    seen::seen (query: seen::SeenQuery) -> seen::Seen, "what the broker saw of one's clients; the instructor: of all, or `?user=`";
    get    "/api/live"                    Student    live_page::live (query: live_page::LiveQuery) -> Events<live_events::LiveEvent>, "what changes, once a second: events `tick`, `mine`, `verdict`, `room`";
    get    "/api/history"                 Student    history::history (query: history::HistoryQuery) -> history::HistoryAnswer, "rates, connections and cost over `?minutes=15`, 60, 360 or 1440";
    get    "/api/groups"                  Student    groups_page::list -> groups_page::GroupsAnswer, "groups with their lag; a student's own";
    get    "/api/groups/{id}"             Student    groups_page::one -> groups_page::GroupAnswer, "one of them: members, partitions, lag over a quarter of an hour";
    post   "/api/groups/{id}/offsets"     Student    groups_page::offsets (body: groups_page::OffsetsAsk) -> groups_page::OffsetsAnswer, "sets the offsets of a group without members anew; without `apply` it only says what would change";
    delete "/api/groups/{id}"             Student    groups_page::delete -> groups_page::DeletedGroup, "a group without members, with its offsets";
    get    "/api/requests"                Student    requests::requests (query: requests::RequestsQuery) -> requests::RequestsAnswer, "the last requests of one's own clients in words; the instructor: of all, or `?user=`";
    get    "/api/students"                Instructor students::list -> students::Students, "everybody, and the code";
    post   "/api/students/{id}/password"  Instructor students::reissue -> Vec<Credential>, "new passwords for all users of an identity";
    put    "/api/students/{id}"           Instructor students::rename (body: students::Rename) -> students::Student, "`{name}`: what is shown";
    post   "/api/students/{id}/reset"     Instructor reset::student (body: reset::OneReset) -> reset::ResetAnswer, "`{}`: which topics and groups of a student's go; `{confirm}`: they do";
    delete "/api/students/{id}"           Instructor students::remove -> Removed, "with users, rights, topics and groups";
    put    "/api/listeners/{name}"        Instructor server_info::advertise (body: server_info::NewAddress) -> server_info::Advertised, "`{advertise}`: where its clients are sent (`HOST[:PORT]`, `auto`, `sni`)";
    get    "/api/challenges"              Nobody     challenges::list -> Vec<challenges::ChallengeRow>, "what there is to do, in order; with one's own status when somebody asks";
    get    "/api/challenges/{id}"         Nobody     challenges::one -> challenges::ChallengePage, "one of them: text, what to hand in, starters, prompts, the question";
    get    "/api/challenges/{id}/{file}"  Nobody     challenges::file -> Text, "a starter, or a file that all scripts share; a solution only for the instructor";
    post   "/api/ticket/{id}"             Student    tickets::issue (query: OfStudent) (body: checks::Nothing) -> Handed, "`{}`: a new ticket for a challenge: a nonce and the offsets to work on";
    get    "/api/tickets/{id}"            Student    tickets::list (query: OfStudent) -> Vec<Ticket>, "the tickets that may still be answered, the newest first";
    post   "/api/check/{id}"              Student    checks::check (query: OfStudent) (body: checks::CheckAsk) -> Told, "`{receipt?}`: the verdict on the newest answer";
    get    "/api/verdict/{id}"            Student    checks::verdict (query: OfStudent) -> Told, "the last verdict";
    get    "/api/hint/{id}"               Student    checks::hints (query: OfStudent) -> Vec<Hint>, "the hints that were given";
    post   "/api/hint/{id}"               Student    checks::next_hint (query: OfStudent) (body: checks::Nothing) -> Hint, "`{}`: the next one";
    post   "/api/stuck/{id}"              Student    checks::stuck (query: OfStudent) (body: checks::StuckAsk) -> checks::StuckAnswer, "`{stuck, note?}`: queues up for help, or goes";
    post   "/api/explain/{id}"            Student    checks::explain (query: OfStudent) (body: checks::Chosen) -> ExplainAnswer, "`{choice}`: whether it is right, and why";
    get    "/api/progress"                Student    progress::own (query: OfStudent) -> OwnProgress, "how far one is";
    get    "/api/progress/export"         Instructor progress::export -> Export, "all that is kept of everybody's progress";
    delete "/api/progress"                Instructor progress::erase (body: progress::Erase) -> progress::ErasedProgress, "`{student?}`: erases it";
    get    "/api/class"                   Instructor class::show -> ClassBoard, "the board, mistakes by count, who waits for help";
    put    "/api/class/{student}/{id}"    Instructor class::decide (body: class::Decide) -> class::Decided, "`{status}`: `skipped`, `granted` or `none`";
    get    "/api/leaderboard"             Student    class::leaderboard -> class::Leaderboard, "points; 404 while it is off";
    put    "/api/leaderboard"             Instructor class::set_leaderboard (body: class::LeaderboardSwitch) -> class::Leaderboard, "`{on?, frozen?}`";
    get    "/api/report"                  Student    report::report (query: report::ReportQuery) -> File | Sheet, "the report with its facts and answers; `?format=md`, `html` or `json`; the instructor: `&rubric=on`";
    put    "/api/report"                  Student    report::save (body: report::Answers) -> Saved, "`{answers: {id: text}}`: saves them; others stay";
    post   "/api/report"                  Student    report::submit (body: checks::Nothing) -> Saved, "`{}`: hands in what is saved, in place of what was handed in before";
    get    "/api/reports"                 Instructor report::list -> report::Reports, "who has handed in, when, and how many words";
    get    "/api/medallion"               Student    medallion::medallion (query: OfStudent) -> medallion::Medallion, "rows of one's own tables, bronze to gold, as the last receipts had them";
    get    "/api/room"                    Student    room::show -> Room, "announcement, timer, whether the room is frozen";
    put    "/api/room"                    Instructor room::change (body: room::RoomChange) -> Room, "`{announcement?, frozen?, timer?, longer?}`: what is left out stays, null takes it away";
    get    "/api/join-code"               Instructor join_code::join_code (query: join_code::JoinCodeQuery) -> join_code::JoinCode | File, "what a phone or laptop opens to join; `?format=svg`: as a QR code";
    get    "/api/doctor"                  Student    doctor::doctor (query: doctor::DoctorQuery) -> doctor::Findings, "what may keep a client from working, in plain words";
    get    "/api/verbs"                   Student    console::verbs -> console::Verbs, "what the console understands";
    post   "/api/console"                 Student    console::run (body: console::CommandLine) -> console::Output, "`{line}`: what a command line answers, with one's own rights";
    get    "/api/generators"              Instructor generators::show -> generators::Generators, "what the generators do";
    put    "/api/generators/rate"         Instructor generators::rate (body: generators::RateAsk) -> Command, "`{topic?, factor}`";
    put    "/api/generators/pause"        Instructor generators::pause (body: generators::StreamAsk) -> Command, "`{topic?}`";
    put    "/api/generators/resume"       Instructor generators::resume (body: generators::StreamAsk) -> Command, "`{topic?}`";
    get    "/api/incidents"               Instructor generators::kinds -> generators::IncidentKinds, "what can happen in the streams";
    post   "/api/incidents"               Instructor generators::begin (body: Wish) -> Command, "`{kind, target?, minutes?, in?}`: lets it happen";
    delete "/api/incidents/{id}"          Instructor generators::end -> Command, "ends it";
}
