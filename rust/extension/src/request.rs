//! `RustWebSocketRequest`, as the engine sees it.

use std::sync::Arc;

use bytes::Bytes;
use godot::classes::X509Certificate;
use godot::global::Error;
use godot::prelude::*;
use rust_websocket_peers::{Asking, Refused, RequestHead};
use rust_websocket_proto::http::{Answer, AnswerError, Decision, Request};

use crate::{
    convert::{Named, Nullable, REQUEST_CLASS, strings_to_godot},
    report::{self, fence},
    text, tls_options,
};

/// An HTTP request that a server has read, for its script to answer.
#[derive(GodotClass)]
#[class(tool, base = RefCounted)]
pub(crate) struct RustWebSocketRequest {
    asking: Arc<Asking>,
}

impl Named for RustWebSocketRequest {
    const NAME: &str = REQUEST_CLASS;
}

impl RustWebSocketRequest {
    /// The engine object for a request that has none.
    pub(crate) fn for_asking(asking: Arc<Asking>) -> Gd<Self> {
        let object = Gd::from_object(Self { asking });
        _ = object.bind().asking.object.set(object.instance_id().to_i64());
        object
    }

    /// The engine object of a request, a new one if nobody has the old one any more.
    pub(crate) fn of(asking: &Arc<Asking>) -> Gd<Self> {
        let known =
            asking.object.get().and_then(|id| Gd::try_from_instance_id(InstanceId::from_i64(*id)).ok());
        known.unwrap_or_else(|| Self::for_asking(Arc::clone(asking)))
    }

    /// What it shows.
    pub(crate) fn asking(&self) -> &Arc<Asking> {
        &self.asking
    }

    /// Something that was asked; one that a script has made has not.
    fn read<R: Default>(&self, read: impl FnOnce(&RequestHead) -> R) -> R {
        fence(R::default(), || self.asking.head.as_ref().map(read).unwrap_or_default())
    }

    fn read_request<R: Default>(&self, read: impl FnOnce(&Request) -> R) -> R {
        self.read(|head| read(&head.request))
    }

    fn decide(this: &Gd<Self>, decision: impl FnOnce() -> Result<Decision, Refused>) -> Error {
        fence(Error::ERR_BUG, || {
            let asking = Arc::clone(&this.bind().asking);
            match asking.decide(decision()) {
                Ok(()) => Error::OK,
                Err(refused) => report::refuse(&asking.state, &refused),
            }
        })
    }
}

/// Lines that scripts give; what is no text is refused.
fn lines(what: &'static str, lines: &PackedStringArray) -> Result<Vec<String>, Refused> {
    lines.as_slice().iter().map(|line| text::read(what, line)).collect()
}

fn answer(answer: Result<Answer, AnswerError>) -> Result<Decision, Refused> {
    answer.map(Decision::Answer).map_err(|error| Refused::Answer(Box::new(error)))
}

fn pairs_to_godot(pairs: Vec<(String, String)>) -> VarDictionary {
    let mut dictionary = VarDictionary::new();
    for (name, value) in pairs {
        dictionary.set(&text::foreign(&name), &text::foreign(&value));
    }
    dictionary
}

#[godot_api]
impl IRefCounted for RustWebSocketRequest {
    fn init(_base: Base<RefCounted>) -> Self {
        Self { asking: Arc::default() }
    }
}

#[godot_api]
impl RustWebSocketRequest {
    #[func(gd_self)]
    fn accept(
        this: Gd<Self>,
        #[opt(default = "")] protocol: GString,
        #[opt(default = &PackedStringArray::new())] headers: PackedStringArray,
    ) -> Error {
        Self::decide(&this, || {
            let protocol = text::read("accept: the protocol", &protocol)?;
            let headers = lines("accept: a header", &headers)?;
            Ok(Decision::Accept { protocol: Some(protocol).filter(|name| !name.is_empty()), headers })
        })
    }

    #[func(gd_self)]
    fn refuse(
        this: Gd<Self>,
        #[opt(default = 1013)] code: i64,
        #[opt(default = "")] reason: GString,
    ) -> Error {
        Self::decide(&this, || Ok(Decision::refuse(code, text::read("refuse: the reason", &reason)?)?))
    }

    #[func(gd_self)]
    fn respond(
        this: Gd<Self>,
        #[opt(default = 403)] status: i64,
        #[opt(default = "")] body: GString,
        #[opt(default = &PackedStringArray::new())] headers: PackedStringArray,
    ) -> Error {
        Self::decide(&this, || {
            let body = text::read("respond: the body", &body)?;
            answer(Answer::text(status, body, lines("respond: a header", &headers)?))
        })
    }

    #[func(gd_self)]
    fn respond_raw(
        this: Gd<Self>,
        status: i64,
        body: PackedByteArray,
        #[opt(default = &PackedStringArray::new())] headers: PackedStringArray,
    ) -> Error {
        Self::decide(&this, || {
            let body = Bytes::copy_from_slice(body.as_slice());
            answer(Answer::binary(status, body, lines("respond_raw: a header", &headers)?))
        })
    }

    #[func]
    fn is_pending(&self) -> bool {
        fence(false, || self.asking.is_pending())
    }

    #[func]
    fn is_websocket(&self) -> bool {
        self.read_request(Request::is_upgrade)
    }

    #[func]
    fn get_method(&self) -> GString {
        self.read_request(|request| request.method().as_str().into())
    }

    #[func]
    fn get_path(&self) -> GString {
        self.read_request(|request| text::foreign(&request.path()))
    }

    #[func]
    fn get_query(&self) -> GString {
        self.read_request(|request| text::foreign(&request.query()))
    }

    #[func]
    fn get_query_parameters(&self) -> VarDictionary {
        self.read_request(|request| pairs_to_godot(request.query_parameters()))
    }

    #[func]
    fn get_headers(&self) -> PackedStringArray {
        self.read_request(|request| {
            let line = |(name, value)| text::foreign(&format!("{name}: {value}"));
            request.headers().map(line).collect()
        })
    }

    #[func]
    fn get_header(&self, name: GString) -> GString {
        let name = text::read_lossy(&name);
        self.read_request(|request| text::foreign(&request.header(&name).unwrap_or_default()))
    }

    #[func]
    fn has_header(&self, name: GString) -> bool {
        let name = text::read_lossy(&name);
        self.read_request(|request| request.has_header(&name))
    }

    #[func]
    fn get_cookies(&self) -> VarDictionary {
        self.read_request(|request| pairs_to_godot(request.cookies()))
    }

    #[func]
    fn get_origin(&self) -> GString {
        self.read_request(|request| text::foreign(&request.origin().unwrap_or_default()))
    }

    #[func]
    fn get_host(&self) -> GString {
        self.read_request(|request| text::foreign(&request.host()))
    }

    #[func]
    fn get_protocols(&self) -> PackedStringArray {
        self.read_request(|request| strings_to_godot(&request.protocols()))
    }

    #[func]
    fn get_remote_address(&self) -> GString {
        self.read(|head| GString::from(&head.remote().0))
    }

    #[func]
    fn get_remote_port(&self) -> i64 {
        self.read(|head| head.remote().1.into())
    }

    #[func]
    fn get_proxy_address(&self) -> GString {
        self.read(|head| GString::from(&head.proxy_address()))
    }

    #[func]
    fn is_secure(&self) -> bool {
        self.read(|head| head.remote.is_secure)
    }

    #[func]
    fn get_tls_server_name(&self) -> GString {
        self.read(|head| GString::from(head.tls.server_name.as_deref().unwrap_or_default()))
    }

    #[func]
    fn get_tls_client_certificate(&self) -> Nullable<X509Certificate> {
        Nullable(
            self.read(|head| head.tls.client_certificate.as_deref().and_then(tls_options::certificate_of)),
        )
    }
}
