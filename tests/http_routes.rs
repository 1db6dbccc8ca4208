//! `docs/http.md` says what is served over HTTP and to whom; its table is written from the one that the router is built from.
//! `UPDATE_DOCS=1 cargo test --test http_routes` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use headwater::http::routes::ROUTES;
use headwater::workshop::Role;

const BEGIN: &str = "<!-- routes: written by tests/http_routes.rs -->\n";
const END: &str = "<!-- end of routes -->\n";

fn table() -> String {
    let mut table = String::from("| method | path | nobody | student | instructor | what |\n|---|---|---|---|---|---|\n");
    for route in ROUTES {
        let may = |role: Role| if role >= route.who { "yes" } else { "-" };
        let [nobody, student, instructor] = [Role::Nobody, Role::Student, Role::Instructor].map(may);
        writeln!(table, "| {} | `{}` | {nobody} | {student} | {instructor} | {} |", route.method.to_uppercase(), route.path, route.about)
            .unwrap();
    }
    table
}

#[test]
fn the_page_on_http_has_the_table_of_routes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/http.md");
    let committed = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = committed.split_once(BEGIN).expect("the beginning of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let page = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, page, "docs/http.md is out of date: UPDATE_DOCS=1 cargo test --test http_routes");
}

#[test]
fn no_route_is_there_twice_and_nothing_is_changed_by_nobody_but_by_coming_and_going() {
    let distinct: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(distinct.len(), ROUTES.len());
    let open = ROUTES.iter().filter(|route| route.method != "get" && route.who == Role::Nobody).map(|route| route.path);
    assert_eq!(open.collect::<Vec<_>>(), ["/api/join", "/api/login", "/api/logout"]);
}
