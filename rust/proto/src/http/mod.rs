//! HTTP/1.1 on a server's port, as data: a request that waits for a decision, and what it is answered with.

mod answer;
mod cookies;
mod request;
mod status;

pub use answer::{Answer, AnswerError, EncodedAnswer};
pub use request::{Method, Request};
pub use status::status_name;
