//! One connection: requests in, replies out in the same order.
//!
//! Requests are handled one after the other, as Kafka does: a long poll holds back what follows on its connection. Replies of
//! requests that arrived together leave in one write, unless one of them has to wait.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, timeout, timeout_at};

use super::ended::Ended;
use super::limits::Held;
use super::outbox::{Outbox, SMALL_BYTES};
use super::strangers::Place;
use super::stream::Stream;
use super::{Limits, buffers, mishap};
use crate::broker::Broker;
use crate::broker::request_log::{Noted, RequestSlot};
use crate::handlers::{self, Context, HangUp, Peer, Reply};
use crate::model::ErrorCode;
use crate::security::Principal;
use crate::wire::WireError;
use crate::wire::frame::FrameSplitter;
use crate::wire::request::RequestHeader;

/// What is read at once, and the size of the buffers that connections share.
pub(super) const READ_BYTES: usize = 16 * 1024;
/// Replies are held back for the next request of the same turn up to this many bytes.
const TURN_BYTES: usize = 1024 * 1024;
/// Memory for a large frame is taken when it is needed: this much, then three times of what has come. To announce much costs nothing
/// and gets nothing.
const STEP_BYTES: usize = 64 * 1024;
/// How fast a frame comes in is judged from here on, and then all the time.
const RATE_AFTER: Duration = Duration::from_secs(10);
const RATE_EVERY: Duration = Duration::from_secs(1);
/// Progress of a frame whose client is not to blame: it waits for memory.
const WAITS_FOR_US: usize = usize::MAX;
/// What a login takes fits into it easily.
const BYTES_BEFORE_LOGIN_MAX: usize = 64 * 1024;
/// How long the end waits for the client to take the last answer.
const LAST_ANSWER_HEARD: Duration = Duration::from_millis(500);
/// A login takes five requests at most.
const REQUESTS_BEFORE_LOGIN_MAX: usize = 20;
/// Of those so many are told once it is known whose they are.
const NOTED_BEFORE_LOGIN_MAX: usize = 6;

pub async fn serve(broker: &Arc<Broker>, limits: &Limits, stream: Stream, peer: Arc<Peer>, stranger: Option<Place>) {
    let mut connection = Connection {
        broker,
        limits,
        stream,
        peer: Arc::clone(&peer),
        frames: FrameSplitter::new(limits.request_bytes_max),
        logged_in: false,
        asked_before_login: 0,
        buffer: BytesMut::new(),
        client: String::new(),
        waited: false,
        memory: Held::default(),
        out: Outbox::default(),
        log: Log::default(),
    };
    let mut watch = Watch { stopped: pin!(broker.stopped()), idle: pin!(tokio::time::sleep(limits.idle)), heard: Instant::now() };
    let Err(ended) = peer.time.of(connection.live(&mut watch, stranger)).await;
    if let Some(principal) = connection.peer.principal().filter(|_| connection.logged_in) {
        broker.sightings.closed(&principal, peer.remote, broker.now());
    }
    connection.log.close(broker, &peer);
    if let Ended::HangUp(reason) = &ended
        && let Some(mishap) = mishap::of_hang_up(reason, peer.endpoint.protocol)
    {
        let user = peer.principal();
        broker.sightings.trouble(user.as_ref().map(Principal::name), mishap, peer.place(), broker.now());
    }
    match &ended {
        Ended::Closed | Ended::Idle | Ended::Shutdown | Ended::Answered => {}
        Ended::Io(error) => tracing::debug!(remote = %peer.remote, %error, "connection lost"),
        Ended::SlowFrame | Ended::SlowReader | Ended::NoMemory | Ended::LoginTooSlow | Ended::PushedOut => {
            if broker.metrics.may_log() {
                tracing::info!(remote = %peer.remote, reason = %ended, "connection closed");
            }
        }
        Ended::HangUp(HangUp::Unsupported { key, version }) => {
            broker.metrics.unsupported(peer.remote, &connection.client, *key, *version);
        }
        Ended::HangUp(HangUp::Wire(WireError::UnknownApi { key, version, client_id })) => {
            broker.metrics.unsupported(peer.remote, &peer.name(client_id), *key, *version);
        }
        Ended::HangUp(HangUp::NotLoggedIn) => broker.metrics.garbage(peer.remote, "a request without a login on a SASL listener"),
        Ended::HangUp(HangUp::LoginFailed | HangUp::UserGone) => {}
        Ended::HangUp(HangUp::Wire(reason)) => broker.metrics.garbage(peer.remote, &reason.to_string()),
        Ended::HangUp(HangUp::UnacknowledgedProduce(_)) => {
            if broker.metrics.may_log() {
                tracing::info!(remote = %peer.remote, client = connection.client, reason = %ended, "connection closed");
            }
        }
    }
}

/// What ends a connection from our side. One for its whole life, which looks at it in every wait.
struct Watch<'a> {
    stopped: Pin<&'a mut (dyn Future<Output = ()> + Send + 'a)>,
    /// Set anew only when it goes off: a timer for each request would cost more than the request's other waits.
    idle: Pin<&'a mut Sleep>,
    /// When the last request came.
    heard: Instant,
}

struct Connection<'a> {
    broker: &'a Arc<Broker>,
    limits: &'a Limits,
    stream: Stream,
    peer: Arc<Peer>,
    frames: FrameSplitter,
    /// Whether it is known who is at the other end.
    logged_in: bool,
    asked_before_login: usize,
    buffer: BytesMut,
    /// Who is at the other end, as far as it said, for the log line of a hang-up.
    client: String,
    /// The last turn had a request that waited.
    waited: bool,
    /// Memory taken for the frame that is being read or answered.
    memory: Held,
    out: Outbox,
    log: Log,
}

impl Connection<'_> {
    /// Ends with the reason, never by itself.
    async fn live(&mut self, watch: &mut Watch<'_>, stranger: Option<Place>) -> Result<std::convert::Infallible, Ended> {
        self.note_login();
        if let Some(place) = stranger.filter(|_| !self.logged_in) {
            tokio::select! {
                done = timeout(self.limits.login_within, self.log_in(watch)) => done.map_err(|_| Ended::LoginTooSlow)??,
                () = place.pushed_out() => return Err(Ended::PushedOut),
            }
        }
        self.run(watch).await
    }

    /// Serves requests until it is known whose they are. What came behind the login stays in the buffer.
    async fn log_in(&mut self, watch: &mut Watch<'_>) -> Result<(), Ended> {
        loop {
            let done = self.turn(watch).await;
            self.flush().await?;
            done?;
            if self.logged_in {
                return Ok(());
            }
            self.give_buffer_back();
            self.fill(watch).await?;
        }
    }

    /// Small frames are enough for a login; tokens may be frames of their own.
    fn note_login(&mut self) {
        self.logged_in = self.peer.is_logged_in();
        if self.logged_in
            && let Some(principal) = self.peer.principal()
        {
            self.broker.sightings.opened(&principal, self.peer.remote, self.broker.now());
        }
        let small = self.limits.request_bytes_max.min(BYTES_BEFORE_LOGIN_MAX);
        self.frames = match self.logged_in {
            true => FrameSplitter::new(self.limits.request_bytes_max),
            false if self.peer.expects_token() => FrameSplitter::of_tokens(small),
            false => FrameSplitter::new(small),
        };
    }

    async fn run(&mut self, watch: &mut Watch<'_>) -> Result<std::convert::Infallible, Ended> {
        loop {
            let done = self.turn(watch).await;
            // What was answered before the end still goes out, as Kafka's does.
            self.flush().await?;
            done?;
            self.memory.release();
            self.give_buffer_back();
            self.fill(watch).await?;
        }
    }

    /// Handles every complete frame in the buffer.
    async fn turn(&mut self, watch: &mut Watch<'_>) -> Result<(), Ended> {
        while let Some(frame) = self.frames.split(&mut self.buffer)? {
            let frame = self.by_itself(frame);
            if self.logged_in {
                self.answer(frame, watch).await?;
            } else {
                self.asked_before_login = self.asked_before_login.saturating_add(1);
                if self.asked_before_login > REQUESTS_BEFORE_LOGIN_MAX {
                    return Err(Ended::HangUp(HangUp::NotLoggedIn));
                }
                self.answer_stranger(frame, watch).await?;
                self.note_login();
                if self.logged_in {
                    return Ok(());
                }
            }
            if self.out.bytes >= TURN_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Copies a small frame: what waits for its answer holds no read buffer then.
    fn by_itself(&mut self, frame: Bytes) -> Bytes {
        if frame.len() > SMALL_BYTES {
            return frame;
        }
        let copy = Bytes::copy_from_slice(&frame);
        drop(frame);
        self.give_buffer_back();
        copy
    }

    /// An idle connection holds no buffer.
    fn give_buffer_back(&mut self) {
        if self.buffer.is_empty() {
            buffers::give_back(std::mem::take(&mut self.buffer));
        }
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        let sent = self.out.flush(&mut self.stream, self.limits).await?;
        self.broker.metrics.bytes_out.add(sent as u64);
        Ok(())
    }

    /// Reads until the buffer holds at least one more complete frame.
    async fn fill(&mut self, watch: &mut Watch<'_>) -> Result<(), Ended> {
        while self.buffer.is_empty() {
            let until = watch.heard + self.limits.idle;
            tokio::select! {
                first = self.first_bytes() => first?,
                () = watch.stopped.as_mut() => return Err(Ended::Shutdown),
                () = watch.idle.as_mut() => {
                    if until <= Instant::now() {
                        return Err(Ended::Idle);
                    }
                    watch.idle.as_mut().reset(until);
                }
            }
        }
        if self.frames.missing(&self.buffer)? == Some(0) {
            return Ok(());
        }
        tokio::select! {
            read = self.read_frame_in_time() => read,
            () = watch.stopped.as_mut() => Err(Ended::Shutdown),
        }
    }

    /// Waits for a frame to begin.
    async fn first_bytes(&mut self) -> Result<(), Ended> {
        if self.wait_and_read().await? == 0 { Err(Ended::Closed) } else { Ok(()) }
    }

    /// Waits for bytes without a buffer, then takes one and reads; 0 at the end of the stream. "Readable" is no proof: after a read
    /// that filled the buffer it is said once more.
    async fn wait_and_read(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            if self.buffer.is_empty() {
                self.buffer = buffers::take();
            }
            self.buffer.reserve(READ_BYTES);
            // Not `try_read_buf`: this read takes a buffer that was not filled for a sign that nothing is left, so that the next wait
            // begins without another read.
            let read = {
                let mut reading = pin!(unconstrained(self.stream.read_buf(&mut self.buffer)));
                poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await
            };
            if let Poll::Ready(read) = read {
                return read.inspect(|read| self.broker.metrics.bytes_in.add(*read as u64));
            }
            self.give_buffer_back();
        }
    }

    /// Reads a frame to its end, unless that takes too long or it comes in drop by drop.
    async fn read_frame_in_time(&mut self) -> Result<(), Ended> {
        let (within, rate) = (self.limits.frame_within, self.limits.frame_rate_min);
        let (begun, came) = (Instant::now(), AtomicUsize::new(self.buffer.len()));
        let mut reading = pin!(self.read_frame(&came));
        let mut judged_after = RATE_AFTER.min(within);
        loop {
            if let Ok(read) = timeout_at(begun + judged_after, &mut reading).await {
                return read;
            }
            let came = came.load(Relaxed);
            let too_slow = came != WAITS_FOR_US && (came as u64) < judged_after.as_secs().saturating_mul(rate);
            if too_slow || judged_after >= within {
                return Err(Ended::SlowFrame);
            }
            judged_after = (judged_after + RATE_EVERY).min(within);
        }
    }

    /// `came` tells how many bytes there are.
    async fn read_frame(&mut self, came: &AtomicUsize) -> Result<(), Ended> {
        loop {
            let missing = self.frames.missing(&self.buffer)?;
            match missing {
                Some(0) => return Ok(()),
                Some(missing) if missing > READ_BYTES => {
                    if self.memory.is_empty() && self.move_to_spare(missing) {
                        continue;
                    }
                    if self.buffer.len() == self.buffer.capacity() || self.memory.is_empty() {
                        let more = missing.min(self.buffer.len().saturating_mul(3).max(STEP_BYTES));
                        came.store(WAITS_FOR_US, Relaxed);
                        self.limits.requests().grow(&mut self.memory, self.buffer.len().saturating_add(more)).await;
                        self.buffer.reserve(more);
                        came.store(self.buffer.len(), Relaxed);
                    }
                }
                _ => self.buffer.reserve(READ_BYTES),
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            if read == 0 {
                return Err(Ended::Closed);
            }
            came.store(self.buffer.len(), Relaxed);
            self.broker.metrics.bytes_in.add(read as u64);
        }
    }

    /// Goes on in a buffer that another large frame has left, if there is one.
    fn move_to_spare(&mut self, missing: usize) -> bool {
        let bytes = self.buffer.len().saturating_add(missing);
        let Some(mut spare) = buffers::take_large(bytes) else { return false };
        if !self.limits.requests().try_grow(&mut self.memory, bytes) {
            buffers::give_back(spare);
            return false;
        }
        spare.extend_from_slice(&self.buffer);
        self.buffer.clear();
        buffers::give_back(std::mem::replace(&mut self.buffer, spare));
        true
    }

    async fn answer_stranger(&mut self, frame: Bytes, watch: &mut Watch<'_>) -> Result<(), Ended> {
        if !self.peer.expects_token() {
            return self.answer(frame, watch).await;
        }
        watch.heard = Instant::now();
        if let Reply::Frame(frame) = handlers::bare_token(self.broker, &self.peer, &frame).await? {
            self.out.push(frame);
        }
        Ok(())
    }

    async fn answer(&mut self, frame: Bytes, watch: &mut Watch<'_>) -> Result<(), Ended> {
        let started = Instant::now();
        watch.heard = started;
        let bytes_in = frame.len();
        let (header, body) = RequestHeader::split(&frame)?;
        drop(frame);
        let (key, version) = (header.api_key, header.api_version);
        // Who gave up while waiting shows now, by a reset: what was asked after that is not served, as in Kafka. A client's
        // metadata request for a topic deleted meanwhile would create it again. One fetch after the other does no harm.
        if std::mem::take(&mut self.waited)
            && key != handlers::FETCH
            && let Some(gone) = self.stream.take_error()?
        {
            return Err(gone.into());
        }
        let context = Context::new(Arc::clone(self.broker), header, Arc::clone(&self.peer));
        let mut handled = pin!(handlers::dispatch(&context, body));
        // A request that has to wait must not hold back the answers before it.
        let first = poll_fn(|cx| Poll::Ready(handled.as_mut().poll(cx))).await;
        let reply = match first {
            Poll::Ready(reply) => reply,
            Poll::Pending => {
                self.waited = true;
                self.flush().await?;
                tokio::select! {
                    reply = &mut handled => reply,
                    gone = self.client_gone() => return Err(gone),
                    () = watch.stopped.as_mut() => return Err(Ended::Shutdown),
                }
            }
        };
        let took = started.elapsed();
        self.broker.metrics.request(key, version, took);
        self.log.note(&context, took, bytes_in, &reply);
        if let Err(HangUp::Unsupported { .. } | HangUp::UnacknowledgedProduce(_)) = &reply {
            self.client = context.client_name();
        }
        match reply? {
            Reply::Frame(frame) => {
                self.hold_answer(frame.len()).await?;
                self.out.push(frame);
            }
            Reply::Parts(parts) => parts.into_iter().for_each(|part| self.out.push(part)),
            Reply::Last(frame) => {
                self.out.push(frame);
                self.be_heard(watch).await?;
                return Err(Ended::Answered);
            }
            Reply::Nothing => {}
        }
        match context.rest() {
            Some(rest) => self.rest(rest, watch).await,
            None => Ok(()),
        }
    }

    /// Answers, and then reads nothing for a while: who was told to wait and asks all the same waits.
    async fn rest(&mut self, rest: Duration, watch: &mut Watch<'_>) -> Result<(), Ended> {
        self.flush().await?;
        if self.buffer.len() <= READ_BYTES {
            self.memory.release();
        }
        self.give_buffer_back();
        tokio::select! {
            () = tokio::time::sleep(rest) => Ok(()),
            () = watch.stopped.as_mut() => Err(Ended::Shutdown),
        }
    }

    /// Sends the last answer and leaves the end to the client for a while: some lose an answer that comes together with the end, and tell
    /// of a lost connection instead of a wrong password.
    async fn be_heard(&mut self, watch: &mut Watch<'_>) -> Result<(), Ended> {
        self.flush().await?;
        tokio::select! {
            _ = self.wait_and_read() => {}
            () = tokio::time::sleep(LAST_ANSWER_HEARD) => {}
            () = watch.stopped.as_mut() => {}
        }
        Ok(())
    }

    /// Takes memory for an answer that is more than small. Record slices need none: they lie in the segments' maps.
    async fn hold_answer(&mut self, bytes: usize) -> Result<(), Ended> {
        if bytes <= READ_BYTES || self.limits.answers().try_grow(&mut self.out.memory, self.out.bytes.saturating_add(bytes)) {
            return Ok(());
        }
        // Nobody waits for memory while holding some.
        self.flush().await?;
        let limits = self.limits;
        let granted = timeout(limits.drain_within, limits.answers().grow(&mut self.out.memory, bytes)).await;
        granted.map_err(|_| Ended::NoMemory)
    }
}

impl Connection<'_> {
    /// Returns once nobody can be there any more to take the answer of a request that waits: at once when the connection breaks, after a
    /// while when the client has closed its side, since a client may send its last request, close and still listen. What comes in
    /// meanwhile is the next requests: it is kept up to a limit, and then the look-out ends.
    async fn client_gone(&mut self) -> Ended {
        while self.buffer.len() < READ_BYTES {
            match self.wait_and_read().await {
                Ok(0) => {
                    tokio::time::sleep(self.limits.drain_within).await;
                    return Ended::Closed;
                }
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
        std::future::pending().await
    }
}

/// What goes into the log of requests.
#[derive(Default)]
struct Log {
    slot: Option<(RequestSlot, Option<String>)>,
    /// Requests that came before it was known whose they are, with the client id of the last.
    before: Vec<Noted>,
    client_id: String,
}

impl Log {
    fn note(&mut self, context: &Context, took: Duration, bytes_in: usize, reply: &Result<Reply, HangUp>) {
        let (key, version) = (context.header.api_key, context.header.api_version);
        let mut facts = context.take_facts();
        let bytes_out = match reply {
            Ok(Reply::Frame(frame) | Reply::Last(frame)) => frame.len(),
            Ok(Reply::Parts(parts)) => parts.iter().map(Bytes::len).fold(0, usize::saturating_add),
            Ok(Reply::Nothing) => 0,
            Err(reason) => {
                if facts.error == 0 {
                    facts.error = of_hang_up(reason).code();
                }
                0
            }
        };
        facts.throttled_ms = u32::try_from(context.throttle_time_ms()).unwrap_or(0);
        let small = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let noted = Noted {
            at: context.broker.now(),
            api_key: key,
            version,
            took_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
            bytes_in: small(bytes_in),
            bytes_out: small(bytes_out),
            facts,
        };
        // Which software it is it may say late, and a client id may change.
        let stale = |(slot, id): &(RequestSlot, Option<String>)| {
            let is_other = key == handlers::API_VERSIONS && !context.peer.says_it_is(&slot.client().software);
            is_other || *id != context.header.client_id
        };
        if self.slot.is_none() || self.slot.as_ref().is_some_and(stale) {
            let Some(principal) = context.peer.principal() else {
                if self.before.len() < NOTED_BEFORE_LOGIN_MAX {
                    self.before.push(noted);
                }
                if self.client_id != context.client_id() {
                    context.client_id().clone_into(&mut self.client_id);
                }
                return;
            };
            let client = context.peer.request_client(context.client_id());
            let slot = context.broker.requests.slot(principal.name(), client);
            self.slot = slot.map(|slot| (slot, context.header.client_id.clone()));
            if handlers::is_asked_at_work(key) {
                // Who never says what it is.
                context.note_client_once();
            }
        }
        if handlers::is_asked_at_work(key)
            && context.peer.stays_after_all()
            && let Some(principal) = &context.principal
        {
            context.broker.sightings.came_back(principal);
        }
        let Some((slot, _)) = &self.slot else { return };
        std::mem::take(&mut self.before).into_iter().for_each(|before| slot.note(before));
        slot.note(noted);
    }

    /// A login that failed is told to whom it was as.
    fn close(&mut self, broker: &Broker, peer: &Peer) {
        if let Some(user) = peer.claimed().filter(|_| !self.before.is_empty())
            && let Some(slot) = broker.requests.slot(&user, peer.request_client(&self.client_id))
        {
            std::mem::take(&mut self.before).into_iter().for_each(|before| slot.note(before));
        }
    }
}

/// As an answer would have said it.
fn of_hang_up(reason: &HangUp) -> ErrorCode {
    match reason {
        HangUp::Unsupported { .. } => ErrorCode::UnsupportedVersion,
        HangUp::NotLoggedIn => ErrorCode::IllegalSaslState,
        HangUp::LoginFailed | HangUp::UserGone => ErrorCode::SaslAuthenticationFailed,
        HangUp::Wire(_) | HangUp::UnacknowledgedProduce(_) => ErrorCode::InvalidRequest,
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
