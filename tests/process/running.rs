//! The real binary as a child process, on free ports of the loopback and a folder of its own.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A start that takes longer hangs.
const START_WITHIN: Duration = Duration::from_secs(60);
/// A command that should end and does not.
const END_WITHIN: Duration = Duration::from_secs(60);
/// The last line of what is printed when all is ready begins with one of these.
const LAST_LINES: &[&str] = &["consumer.close()", "Students open", "Ready."];

/// The binary without any variable that would change it, in a folder where it can do no harm.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HEADWATER_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// With what keeps a start off everybody's way, but for the flags that stand in `but`.
pub fn command_with_usual_flags(folder: &Path, but: &[&str]) -> Command {
    let mut command = command(folder);
    for (flag, value) in [("--data-dir", "data"), ("--listen", "127.0.0.1:0"), ("--http", "127.0.0.1:0"), ("--generators", "off")] {
        let instead = if flag == "--listen" { "--listener" } else { flag };
        if !but.contains(&flag) && !but.contains(&instead) {
            command.args([flag, value]);
        }
    }
    command
}

/// A command that ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command that is expected to end.
pub fn ended(mut command: Command) -> Ended {
    let mut child = command.spawn().expect("the binary");
    let mut pipes = (child.stdout.take().expect("stdout"), child.stderr.take().expect("stderr"));
    let reader = std::thread::spawn(move || {
        let mut texts = (String::new(), String::new());
        pipes.0.read_to_string(&mut texts.0).expect("stdout");
        pipes.1.read_to_string(&mut texts.1).expect("stderr");
        texts
    });
    let status = wait(&mut child, END_WITHIN).unwrap_or_else(|| {
        child.kill().expect("kill");
        panic!("{command:?} did not end")
    });
    let (stdout, stderr) = reader.join().expect("output");
    Ended { status, stdout, stderr }
}

fn wait(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if let Some(status) = child.try_wait().expect("status") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// A broker that serves. Dropped, it is killed.
pub struct Running {
    child: Child,
    pub banner: String,
    pub kafka: SocketAddr,
    pub http: Option<SocketAddr>,
    stderr: PathBuf,
}

impl Running {
    /// Serves `folder/data` without generators, on ports of its own, where `more` does not say otherwise.
    pub fn start(folder: &Path, more: &[&str]) -> Running {
        let mut command = command_with_usual_flags(folder, more);
        command.args(more);
        Running::from_command(command, folder)
    }

    /// Starts a command and waits until it says that it is ready.
    pub fn from_command(mut command: Command, folder: &Path) -> Running {
        let stderr = (0..).map(|n| folder.join(format!("stderr-{n}.txt"))).find(|path| !path.exists()).expect("a name");
        command.stderr(std::fs::File::create(&stderr).expect("a file"));
        let mut child = command.spawn().expect("the binary");
        let output = child.stdout.take().expect("stdout");
        let (sender, lines) = mpsc::channel();
        // Reads on until the end, so that the child never writes into a closed pipe.
        std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut banner = String::new();
        while !banner.lines().last().is_some_and(|line| LAST_LINES.iter().any(|last| line.starts_with(last))) {
            let Ok(line) = lines.recv_timeout(START_WITHIN) else {
                let _ = child.kill();
                panic!("{command:?} did not start: {:?} {}", child.wait(), std::fs::read_to_string(&stderr).expect("stderr"))
            };
            banner.push_str(&line);
            banner.push('\n');
        }
        let first = after(&banner, "Kafka clients");
        let kafka = first.split(' ').next().and_then(|word| word.parse().ok()).expect("an address");
        let page = after(&banner, "Web page");
        let http = page.strip_prefix("http://").map(|rest| rest.trim_end_matches('/').parse().expect("an address"));
        Running { child, banner, kafka, http, stderr }
    }

    /// Where the listener is that the banner calls this: its name, and its protocol where that is another word.
    pub fn listener(&self, name: &str) -> SocketAddr {
        let line = self.banner.lines().find(|line| line.contains(&format!("({name})")) || line.contains(&format!("({name},")));
        let before = line.and_then(|line| line.split(" (").next()).unwrap_or_else(|| panic!("no {name} in {}", self.banner));
        before.split(' ').next_back().and_then(|word| word.parse().ok()).expect("an address")
    }

    /// The password of the user instructor, which the first start of a classroom prints.
    pub fn instructor_secret(&self) -> &str {
        after(&self.banner, "Instructor").strip_prefix("user instructor, password ").expect("a password")
    }

    /// Waits for words in the log.
    pub fn wait_for_log(&self, words: &str) -> String {
        let begun = Instant::now();
        while begun.elapsed() < END_WITHIN {
            if let Some(line) = self.stderr().lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nobody logs {words:?}: {}", self.stderr())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).expect("stderr")
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("status").is_none()
    }

    /// Sends a signal and waits for the end.
    pub fn end(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("signal");
        let status = wait(&mut self.child, END_WITHIN).expect("the broker does not end");
        (status, begun.elapsed())
    }

    /// Ends it as a service manager does, which must succeed.
    pub fn stop(mut self) -> Duration {
        let (status, took) = self.end(Signal::TERM);
        assert!(status.success(), "{status:?}\n{}", self.stderr());
        assert!(!self.stderr().contains("panicked at"), "{}", self.stderr());
        took
    }

    /// A row of its `/proc/PID/status`, in KiB.
    pub fn memory_kib(&self, row: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("status");
        let line = status.lines().find(|line| line.starts_with(row)).expect(row);
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect(row)
    }

    /// The highest memory in use is counted from now on.
    pub fn reset_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("clear_refs");
    }

    pub fn get(&self, path: &str) -> Page {
        get(self.http.expect("pages"), path)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rest of the banner's line that begins with `label`.
fn after<'a>(banner: &'a str, label: &str) -> &'a str {
    let line = banner.lines().find_map(|line| line.trim_start().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label} in {banner}")).trim()
}

/// An answer of the web page.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Page {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, text)| text.as_str())
    }
}

pub fn get(address: SocketAddr, path: &str) -> Page {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(n, text)| (n.to_lowercase(), text.trim().to_owned())).collect();
    Page { status, headers, body: body.to_owned() }
}
