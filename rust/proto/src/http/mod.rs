//! HTTP/1.1 on a server's port, as data: a request that waits for a decision, and what it is answered with.

mod answer;
mod cookies;
mod decision;
mod headers;
mod request;
mod status;

pub use answer::{Answer, AnswerError, EncodedAnswer};
pub use decision::{Decision, DecisionError};
pub(crate) use headers::{HeadError, HeadScan, Headers, MAX_INTERIM, MAX_LINES, is_key};
pub use request::{Method, Request};
pub use status::status_name;
