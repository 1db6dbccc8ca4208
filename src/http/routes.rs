//! Every page, one line each, with who may ask for it. The router is built from this table alone, so nothing is served that has no role.

use axum::routing::{MethodRouter, delete, get, post, put};

use super::{
    HttpState, assets, challenges, checks, class, download, generators, health, joining, metrics, overview, page, produce, progress, records,
    report, reset, schemas, seen, server_info, settings, student_tool, students, tickets, topic_page, topics,
};
use crate::workshop::Role;

pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// The least that one has to be. A broker without a workshop takes everybody for its instructor.
    pub who: Role,
    pub about: &'static str,
    pub(super) endpoint: fn() -> MethodRouter<HttpState>,
}

macro_rules! routes {
    ($($method:ident $path:literal $who:ident $handler:path, $about:literal;)+) => {
        pub const ROUTES: &[Route] = &[
            $(Route { method: stringify!($method), path: $path, who: Role::$who, about: $about, endpoint: || $method($handler) },)+
        ];
    };
}

#[rustfmt::skip]
routes! {
    get    "/"                            Nobody     page::page,          "the page";
    get    "/healthz"                     Nobody     health::healthz,     "200, or 503 and the reason; under any host name";
    get    "/metrics"                     Instructor metrics::metrics,    "for Prometheus";
    get    "/assets/{name}"               Nobody     assets::asset,       "the page's own files";
    get    "/schemas/{name}"              Nobody     schemas::schema,     "JSON Schema of a stream";
    get    "/ca.pem"                      Nobody     server_info::ca_pem, "the certificate that signed ours; 404 when there is none";
    get    "/headwater.pyz"               Nobody     student_tool::as_zipapp, "the student's tool, one file for Python";
    get    "/headwater_student-0.1.0-py3-none-any.whl" Nobody student_tool::as_wheel, "the same as a wheel";
    get    "/api/server"                  Nobody     server_info::server, "version, mode, listeners with the address to use";
    get    "/api/settings"                Nobody     settings::settings,  "a first program for `?client=`, at `&listener=`";
    post   "/api/join"                    Nobody     joining::join,       "`{code, invite?}`: an identity with its password and a session";
    post   "/api/login"                   Nobody     joining::login,      "`{user, password}`: a session";
    post   "/api/logout"                  Nobody     joining::logout,     "ends the session; with `{everywhere: true}` all of the user's";
    get    "/api/me"                      Nobody     joining::me,         "who is asking";
    post   "/api/me/password"             Student    joining::password,   "a new password; the old one and other sessions end";
    get    "/api/overview"                Student    overview::overview,  "topics, groups, rates; students see the streams and what is theirs";
    get    "/api/topics"                  Student    topics::list,        "the topics one may see; `?internal=true`: with the broker's own, for the instructor";
    post   "/api/topics"                  Student    topics::create,      "`{name, partitions?, configs?}`: makes one of one's own";
    get    "/api/topics/{name}"           Student    topic_page::show,    "one topic: fields, partitions, configs, groups, templates";
    delete "/api/topics/{name}"           Student    topics::delete,      "deletes one of one's own";
    get    "/api/topics/{name}/records"   Student    records::browse,     "records by newest, oldest, offset or time, with a filter and cursors";
    post   "/api/topics/{name}/records"   Student    produce::produce,    "`{partition?, key?, value?, headers?, copies?, ...}`: writes a record";
    get    "/api/topics/{name}/records/{partition}/{offset}" Student records::one, "one record whole";
    get    "/api/topics/{name}/download"  Student    download::download,  "records as a file; `?format=csv`, `json` or `ndjson`, and what browsing takes";
    post   "/api/me/reset"                Student    reset::mine,         "`{}`: which topics and groups of one's own go; `{confirm}`: they do";
    post   "/api/reset"                   Instructor reset::everything,   "`{}`: what dies; `{confirm, secret}`: it does, and the streams begin anew";
    get    "/api/seen"                    Student    seen::seen,          "what the broker saw of one's clients; the instructor: of all, or `?user=`";
    get    "/api/students"                Instructor students::list,      "everybody, and the code";
    post   "/api/students/{id}/password"  Instructor students::reissue,   "new passwords for all users of an identity";
    put    "/api/students/{id}"           Instructor students::rename,    "`{name}`: what is shown";
    delete "/api/students/{id}"           Instructor students::remove,    "with users, rights, topics and groups";
    put    "/api/listeners/{name}"        Instructor server_info::advertise, "`{advertise}`: where its clients are sent (`HOST[:PORT]`, `auto`, `sni`)";
    get    "/api/challenges"              Nobody     challenges::list,    "what there is to do, in order; with one's own status when somebody asks";
    get    "/api/challenges/{id}"         Nobody     challenges::one,     "one of them: text, what to hand in, starters, prompts, the question";
    get    "/api/challenges/{id}/{file}"  Nobody     challenges::file,    "a starter, or a file that all scripts share; a solution only for the instructor";
    get    "/api/ticket/{id}"             Student    tickets::issue,      "a new ticket for a challenge: a nonce and the offsets to work on";
    get    "/api/tickets/{id}"            Student    tickets::list,       "the tickets that may still be answered, the newest first";
    post   "/api/check/{id}"              Student    checks::check,       "`{receipt?}`: the verdict on the newest answer";
    get    "/api/verdict/{id}"            Student    checks::verdict,     "the last verdict";
    get    "/api/hint/{id}"               Student    checks::hints,       "the hints that were given";
    post   "/api/hint/{id}"               Student    checks::next_hint,   "`{}`: the next one";
    post   "/api/stuck/{id}"              Student    checks::stuck,       "`{stuck, note?}`: queues up for help, or goes";
    post   "/api/explain/{id}"            Student    checks::explain,     "`{choice}`: whether it is right, and why";
    get    "/api/progress"                Student    progress::own,       "how far one is";
    get    "/api/progress/export"         Instructor progress::export,    "all that is kept of everybody's progress";
    delete "/api/progress"                Instructor progress::erase,     "`{student?}`: erases it";
    get    "/api/class"                   Instructor class::show,         "the board, mistakes by count, who waits for help";
    put    "/api/class/{student}/{id}"    Instructor class::decide,       "`{status}`: `skipped`, `granted` or `none`";
    get    "/api/leaderboard"             Student    class::leaderboard,  "points; 404 while it is off";
    put    "/api/leaderboard"             Instructor class::set_leaderboard, "`{on?, frozen?}`";
    get    "/api/report"                  Student    report::report,      "the report with its facts filled in; `?format=md` or `html`; the instructor: `&rubric=on`";
    get    "/api/generators"              Instructor generators::show,    "what the generators do";
    put    "/api/generators/rate"         Instructor generators::rate,    "`{topic?, factor}`";
    put    "/api/generators/pause"        Instructor generators::pause,   "`{topic?}`";
    put    "/api/generators/resume"       Instructor generators::resume,  "`{topic?}`";
    get    "/api/incidents"               Instructor generators::kinds,   "what can happen in the streams";
    post   "/api/incidents"               Instructor generators::begin,   "`{kind, target?, minutes?, in?}`: lets it happen";
    delete "/api/incidents/{id}"          Instructor generators::end,     "ends it";
}
