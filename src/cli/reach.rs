//! Whether clients that are sent to an advertised address come back to this broker: it dials the address as they would, and says in one
//! line what is wrong and what to give instead.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::likeness::{self, Likeness};
use crate::broker::{Broker, Endpoint};
use crate::config::listener::is_loopback;
use crate::config::{Address, Advertise, Protocol};
use crate::server::own_addresses;

/// For the name, the connection and each answer.
const DIAL_WITHIN: Duration = Duration::from_secs(2);

/// What is around the broker, as far as it bears on addresses.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub container: bool,
    /// The one by which others are most likely to reach this machine.
    pub own: Option<IpAddr>,
}

impl Surroundings {
    pub fn look() -> Surroundings {
        Surroundings { container: in_container(Path::new("/")), own: own_addresses().first().copied() }
    }

    fn hint(&self) -> String {
        match self.own {
            _ if self.container => " (the address of the machine that runs the container)".to_owned(),
            Some(own) => format!(" (this machine is {own})"),
            None => String::new(),
        }
    }
}

/// Container engines leave a file; others are seen by the group of processes.
pub(super) fn in_container(root: &Path) -> bool {
    let group = std::fs::read_to_string(root.join("proc/1/cgroup")).unwrap_or_default();
    let engines = ["docker", "kubepods", "containerd", "libpod", "lxc"];
    root.join(".dockerenv").exists() || root.join("run/.containerenv").exists() || engines.iter().any(|engine| group.contains(engine))
}

/// Looks at each advertised address at the start and when one changes.
pub(super) async fn watch(broker: Arc<Broker>, around: Surroundings) {
    let mut moves = broker.node.moves();
    let mut said: HashMap<String, String> = HashMap::new();
    loop {
        for endpoint in broker.node.endpoints() {
            match fault(&endpoint, &around).await {
                Some(fault) if said.get(&endpoint.name) == Some(&fault) => {}
                Some(fault) => {
                    tracing::warn!("{fault}");
                    said.insert(endpoint.name.clone(), fault);
                }
                None => drop(said.remove(&endpoint.name)),
            }
        }
        tokio::select! {
            moved = moves.changed() => if moved.is_err() { return },
            () = broker.stopped() => return,
        }
    }
}

/// What is wrong with the address that a listener's clients are told, and what to do.
async fn fault(endpoint: &Endpoint, around: &Surroundings) -> Option<String> {
    let name = &endpoint.name;
    let setting = setting(endpoint);
    let Advertise::As { host, port } = endpoint.advertise() else {
        let own = around.own.filter(|own| around.container && endpoint.bound.ip().is_unspecified() && is_bridged(own))?;
        return Some(format!(
            "listener {name} tells each client the address that it came to, which in this container is {own}: nobody outside finds that; \
             give {setting}{}",
            around.hint()
        ));
    };
    let told = Address { host, port: port.unwrap_or(endpoint.bound.port()) };
    let only_here = is_loopback(&told.host) && endpoint.bound.ip().is_unspecified();
    // What a container publishes under another port is not there inside it.
    let unseen = only_here && around.container && told.port != endpoint.bound.port();
    let answer = if unseen { Ok(()) } else { come_back(endpoint, &told).await };
    let what = match answer {
        Ok(()) if only_here => {
            return Some(format!(
                "listener {name} sends clients to {told}: those on other machines look for it on their own and find nothing; for them give \
                 {setting}{}",
                around.hint()
            ));
        }
        Ok(()) => return None,
        Err(what) => what,
    };
    let fix = match &what {
        Wrong::OtherPort => {
            let port = endpoint.bound.port();
            let there = Address { host: told.host.clone(), port };
            return Some(format!(
                "listener {name} sends clients to {told}, where nobody answers, but this broker answers at {there}; advertise that, or \
                 forward port {} to {port} (docker run -p {}:{port})",
                told.port, told.port
            ));
        }
        Wrong::Certificate => format!("add it with --tls-names {}, or get a certificate that has it", told.host),
        _ => format!("give an address that leads here, {setting}{}", around.hint()),
    };
    Some(format!("listener {name} sends clients to {told}, {what}; {fix}"))
}

/// The flag that says what is advertised.
fn setting(endpoint: &Endpoint) -> String {
    let Endpoint { name, protocol, bound, .. } = endpoint;
    if name == protocol.name() {
        "--advertise HOST[:PORT]".to_owned()
    } else {
        format!("--listener {name}={protocol}://{bound}@HOST[:PORT]")
    }
}

/// The addresses that container engines hand out.
fn is_bridged(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets().first() == Some(&172) && v4.octets().get(1).is_some_and(|second| second & 0xf0 == 16))
}

/// Why a client does not come back to this broker.
#[derive(Debug)]
enum Wrong {
    NoName(io::Error),
    Silent(io::Error),
    OtherPort,
    OtherProgram,
    OtherBroker,
    Certificate,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wrong::NoName(error) => write!(f, "a name that is not known here ({error})"),
            Wrong::Silent(error) => write!(f, "where nobody answers ({error})"),
            Wrong::OtherPort => f.write_str("where nobody answers"),
            Wrong::OtherProgram => f.write_str("where another program answers"),
            Wrong::OtherBroker => f.write_str("where another broker answers"),
            Wrong::Certificate => f.write_str("which the certificate does not hold for, so clients will refuse it"),
        }
    }
}

async fn come_back(endpoint: &Endpoint, told: &Address) -> Result<(), Wrong> {
    let protocol = endpoint.protocol;
    let direct = within(TcpStream::connect(direct_address(endpoint.bound))).await.map_err(Wrong::Silent)?;
    let own = ask(direct, protocol, &told.host).await.map_err(Wrong::Silent)?;
    let stream = match within(dial(told)).await {
        Ok(stream) => stream,
        Err(error) if within(tokio::net::lookup_host((told.host.as_str(), told.port))).await.is_err() => return Err(Wrong::NoName(error)),
        Err(error) => {
            let there = Address { host: told.host.clone(), port: endpoint.bound.port() };
            let other = if there == *told { Err(io::ErrorKind::NotFound.into()) } else { within(dial(&there)).await };
            if let Ok(stream) = other
                && ask(stream, protocol, &told.host).await.is_ok_and(|there| there.is(&own))
            {
                return Err(Wrong::OtherPort);
            }
            return Err(Wrong::Silent(error));
        }
    };
    match ask(stream, protocol, &told.host).await {
        Err(_) => Err(Wrong::OtherProgram),
        Ok(there) if !there.is(&own) => Err(Wrong::OtherBroker),
        Ok(there) if !there.holds_for(&told.host) => Err(Wrong::Certificate),
        Ok(_) => Ok(()),
    }
}

async fn dial(address: &Address) -> io::Result<TcpStream> {
    TcpStream::connect((address.host.as_str(), address.port)).await
}

async fn ask(stream: TcpStream, protocol: Protocol, host: &str) -> io::Result<Likeness> {
    within(likeness::of(stream, protocol, host)).await
}

async fn within<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let silence = || io::Error::new(io::ErrorKind::TimedOut, "no answer within 2 seconds");
    tokio::time::timeout(DIAL_WITHIN, what).await.unwrap_or_else(|_| Err(silence()))
}

/// Where this machine itself reaches a listener.
fn direct_address(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    // A scope, which a link-local address needs, stays.
    let mut direct = bound;
    direct.set_ip(ip);
    direct
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::security::Access;
    use crate::broker::{BrokerOptions, Endpoint};
    use crate::config::{BrokerLayers, TlsSetting};
    use crate::server::{Certificates, Limits, Listener, Server};

    const OUTSIDE: Surroundings = Surroundings { container: false, own: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5))) };
    const INSIDE: Surroundings = Surroundings { container: true, own: Some(IpAddr::V4(Ipv4Addr::new(172, 17, 0, 2))) };

    #[test]
    fn containers_are_known_by_what_engines_leave() {
        let root = tempfile::tempdir().unwrap();
        assert!(!in_container(root.path()));
        std::fs::create_dir_all(root.path().join("proc/1")).unwrap();
        std::fs::write(root.path().join("proc/1/cgroup"), "1:name=systemd:/init.scope\n").unwrap();
        assert!(!in_container(root.path()));
        std::fs::write(root.path().join("proc/1/cgroup"), "1:name=systemd:/kubepods/pod1/2\n").unwrap();
        assert!(in_container(root.path()));
        let bridged = |text: &str| is_bridged(&text.parse().unwrap());
        assert!(bridged("172.16.0.1") && bridged("172.31.9.9") && !bridged("172.32.0.1") && !bridged("10.0.0.1") && !bridged("::1"));
    }

    struct Town {
        broker: Arc<Broker>,
        _folder: tempfile::TempDir,
    }

    fn town() -> Town {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::Everyone;
        let data_dir = folder.path().to_owned();
        let options = BrokerOptions { data_dir, access, configs: BrokerLayers::default(), guards: Default::default() };
        Town { broker: Broker::open(options).unwrap(), _folder: folder }
    }

    impl Town {
        async fn serve(&self, protocol: Protocol, ip: [u8; 4]) -> Arc<Endpoint> {
            let listener = tokio::net::TcpListener::bind(SocketAddr::from((ip, 0))).await.unwrap();
            let bound = listener.local_addr().unwrap();
            let endpoint = self.broker.open_endpoint(Endpoint::new("LAN", protocol, bound, Advertise::Auto)).unwrap();
            let names = TlsSetting { files: None, names: Vec::new() };
            let tls = protocol.is_encrypted().then(|| Certificates::open(&self.broker, &names).unwrap().shown());
            let limits = Limits::new(1 << 20, 1 << 24, 100, Duration::from_secs(60));
            let server = Server { broker: Arc::clone(&self.broker), limits };
            tokio::spawn(server.run(Listener::new(listener, Arc::clone(&endpoint), tls)));
            endpoint
        }
    }

    async fn told(endpoint: &Endpoint, told: &str, around: &Surroundings) -> String {
        endpoint.set_advertise(Advertise::parse(told).unwrap());
        fault(endpoint, around).await.unwrap_or_default()
    }

    #[tokio::test]
    async fn an_address_that_leads_back_is_no_fault_and_each_other_has_its_line() {
        let (here, other) = (town(), town());
        for protocol in Protocol::ALL {
            let endpoint = here.serve(protocol, [127, 0, 0, 1]).await;
            let port = endpoint.bound.port();
            assert_eq!(told(&endpoint, "auto", &INSIDE).await, "", "not open to others");
            assert_eq!(told(&endpoint, "127.0.0.1", &OUTSIDE).await, "", "{protocol}");
            let said = told(&endpoint, "no-such-name.invalid", &OUTSIDE).await;
            assert!(said.contains(&format!("to no-such-name.invalid:{port}, a name that is not known here")), "{said}");
            assert!(said.contains("@HOST[:PORT] (this machine is 10.0.0.5)"), "{said}");
            let said = told(&endpoint, "127.0.0.1:1", &OUTSIDE).await;
            assert!(said.contains("127.0.0.1:1, where nobody answers, but this broker answers at 127.0.0.1:"), "{said}");
            assert!(said.ends_with(&format!("forward port 1 to {port} (docker run -p 1:{port})")), "{said}");
            let elsewhere = other.serve(protocol, [127, 0, 0, 1]).await.bound;
            let said = told(&endpoint, &elsewhere.to_string(), &OUTSIDE).await;
            assert!(said.contains("where another broker answers"), "{protocol} {said}");
            let program = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = program.local_addr().unwrap();
            tokio::spawn(async move { while program.accept().await.is_ok() {} });
            let said = told(&endpoint, &at.to_string(), &OUTSIDE).await;
            assert!(said.contains("where another program answers") && !said.contains('\n'), "{said}");
        }
        for town in [here, other] {
            town.broker.stop();
        }
    }

    #[tokio::test]
    async fn what_only_this_machine_finds_is_said_of_listeners_for_all() {
        let here = town();
        let endpoint = here.serve(Protocol::SaslPlaintext, [0, 0, 0, 0]).await;
        assert_eq!(told(&endpoint, "auto", &OUTSIDE).await, "");
        let said = told(&endpoint, "auto", &INSIDE).await;
        assert!(said.contains("which in this container is 172.17.0.2") && said.contains("machine that runs the container"), "{said}");
        let said = told(&endpoint, "localhost", &OUTSIDE).await;
        assert!(said.contains("those on other machines look for it on their own"), "{said}");
        let said = told(&endpoint, "localhost:19092", &INSIDE).await;
        assert!(said.contains("localhost:19092: those on other machines") && said.contains("runs the container"), "{said}");
        let encrypted = here.serve(Protocol::SaslSsl, [127, 0, 0, 1]).await;
        let said = told(&encrypted, "127.0.0.77", &OUTSIDE).await;
        assert!(said.contains("where nobody answers"), "{said}");
        here.broker.stop();
    }
}
