//! Why a connection is hung up on, or an answer cannot be written.

/// Bytes that cannot be served. The wire has no error response for them: whoever gets one closes the connection.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("frame size {size} is outside {min}..={max}", min = super::frame::SIZE_MIN)]
    FrameSize { size: i32, max: usize },
    #[error("request header: {0}")]
    Header(&'static str),
    #[error("no request has key {key}")]
    UnknownApi { key: i16, version: i16, client_id: String },
    #[error("{api} has no version {version}")]
    UnknownVersion { api: &'static str, version: i16 },
    #[error("{api} v{version}, byte {at}, {field}: {problem}")]
    Malformed { api: &'static str, version: i16, field: &'static str, at: usize, problem: &'static str },
    #[error("{api} v{version}: the codec refuses the body: {reason}")]
    Decode { api: &'static str, version: i16, reason: String },
    #[error("cannot encode the answer to key {key} v{version}: {reason}")]
    Encode { key: i16, version: i16, reason: String },
}
