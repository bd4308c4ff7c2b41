//! Requests to the object store say on whose request they are.

use std::{future::Future, pin::Pin};

use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
        ReqwestConnector,
    },
};

use crate::request::request;

/// Connects as the library does, and adds the name of the request that is worked on: as `X-Request-Id`, and
/// in the name of the client, since that is what object stores write into their logs. Neither is signed, so
/// it may be added after that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NamedConnector;

#[derive(Debug)]
struct Named(HttpClient);

impl HttpConnector for NamedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Named(ReqwestConnector::default().connect(options)?)))
    }
}

impl HttpService for Named {
    fn call<'service, 'call>(
        &'service self,
        mut sent: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'service: 'call,
        Self: 'call,
    {
        if let Some(name) = request() {
            let client = format!("plura/{} request/{name}", env!("CARGO_PKG_VERSION"));
            // A name that cannot stand in a header was not let in.
            if let (Ok(name), Ok(client)) = (name.parse(), client.parse()) {
                sent.headers_mut().insert("x-request-id", name);
                sent.headers_mut().insert("user-agent", client);
            }
        }
        Box::pin(self.0.execute(sent))
    }
}
