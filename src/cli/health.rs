//! `headwater health`: whether a running broker is well, as its `/healthz` says. A container's health check has no other program to run.

use std::io::Write;

use clap::{ArgMatches, Command};

use super::pages::{Pages, PagesError, arguments};

#[derive(Clone, Debug, PartialEq)]
pub struct HealthCommand {
    pages: Pages,
}

pub(super) fn commands() -> Command {
    let [http, _] = arguments();
    Command::new("health").about("Ask a running broker whether it is well; status 1 if it is not, or does not answer").arg(http)
}

pub(super) fn command(matches: &ArgMatches) -> Option<HealthCommand> {
    let http = matches.get_one::<String>("http")?.clone();
    Some(HealthCommand { pages: Pages { http, secret: None } })
}

pub(super) fn run(command: &HealthCommand, out: &mut impl Write) -> Result<(), PagesError> {
    let HealthCommand { pages } = command;
    if pages.http == "off" {
        let why = "the pages are off (HEADWATER_HTTP=off), and with them what tells the health; give --http HOST:PORT, or check it in another way";
        return Err(PagesError::Refused(why.to_owned()));
    }
    match pages.send("GET", "/healthz", None, None)? {
        (200, text) => Ok(out.write_all(text.as_bytes())?),
        (503, why) => Err(PagesError::Refused(why.trim_end().to_owned())),
        (status, _) => Err(pages.unexpected(status)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    /// What the command says of a server that gives this answer.
    fn health(answer: &'static str) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let http = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let read = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        let said = of(&http);
        assert!(server.join().unwrap().starts_with("GET /healthz "));
        said
    }

    fn of(http: &str) -> Result<String, String> {
        let matches = commands().try_get_matches_from(["health", "--http", http]).unwrap();
        let mut out = Vec::new();
        run(&command(&matches).unwrap(), &mut out).map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn it_says_what_the_broker_says() {
        assert_eq!(health("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n").unwrap(), "ok\n");
        let ill = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 26\r\n\r\nthe broker has a problem\n\n";
        assert_eq!(health(ill).unwrap_err(), "the broker has a problem");
        assert!(health("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap_err().contains("answered 404"));
    }

    #[test]
    fn a_broker_that_cannot_be_asked_is_not_well() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        assert!(of(&free).unwrap_err().contains("is the broker running"));
        assert!(of("no-such-name.invalid:8080").unwrap_err().contains("cannot reach http://no-such-name.invalid:8080"));
        assert!(of("off").unwrap_err().contains("HEADWATER_HTTP=off"));
    }
}
