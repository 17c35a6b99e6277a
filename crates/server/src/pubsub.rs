//! The PubSub and Chat token dialect: `POST /api/pubsub/tokens` and
//! `/api/chat/tokens` (signalwire 1 to 5).

mod answer;
mod basic;
mod body;
mod issue;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use token_codec::Product;
use token_store::{ApiTokenScope, Keyset};

use crate::attempts::{Credential, TooManyAttempts};
use crate::audit::Actor;
use crate::service::Service;
use answer::{failure, success};
use basic::Basic;
use body::{Invalid, Unusable, Wanted};

/// Why there is no token.
#[derive(Debug)]
enum Fault {
    BadRequest,
    Unauthorized,
    TooManyAttempts(TooManyAttempts),
    NotFound,
    /// 422, with everything that is wrong.
    Invalid(Vec<Invalid>),
    Store,
}

/// Whether a path is this dialect's.
pub(crate) fn serves(path: &str) -> bool {
    path.starts_with("/api/pubsub/") || path.starts_with("/api/chat/")
}

/// Answers a request on the public listener that is for this dialect.
pub(crate) fn respond(service: &Service, request: &Request<Bytes>) -> Response<Bytes> {
    let product = match request.uri().path() {
        "/api/pubsub/tokens" => Some(Product::PubSub),
        "/api/chat/tokens" => Some(Product::Chat),
        _ => None,
    };
    let product = product.filter(|_| request.method() == Method::POST);
    // Until somebody may use it, there is no such dialect.
    let (Some(product), true) = (product, has_projects(service)) else {
        return failure(&Fault::NotFound);
    };
    let answer = answer(service, product, request);
    service.metrics().granted(answer.is_ok());
    answer.map_or_else(|fault| failure(&fault), |token| success(&token))
}

fn has_projects(service: &Service) -> bool {
    let keysets = service.store().keysets();
    keysets.iter().any(|keyset| !keyset.projects.is_empty())
}

/// Who asks comes first: to a stranger, nothing tells what there is.
fn answer(service: &Service, product: Product, request: &Request<Bytes>) -> Result<String, Fault> {
    let (project, keyset) = authenticate(service, product, request)?;
    let wanted = Wanted::read(product, request).map_err(|unusable| match unusable {
        Unusable::NotJson => Fault::BadRequest,
        Unusable::Invalid(faults) => Fault::Invalid(faults),
    })?;
    // Access Manager that is off issues nothing, whatever the dialect.
    if !keyset.settings.access_manager {
        return Err(Fault::Unauthorized);
    }
    service.check_audited().map_err(|_| Fault::Store)?;
    issue::issue(service, product, &project, &wanted).ok_or(Fault::Store)
}

/// The project of the credentials (signalwire 2), if they may ask for tokens of
/// this product. An unknown project is as much work as a wrong token.
fn authenticate(
    service: &Service,
    product: Product,
    request: &Request<Bytes>,
) -> Result<(String, Arc<Keyset>), Fault> {
    let wanted = match product {
        Product::PubSub => ApiTokenScope::PubSub,
        Product::Chat => ApiTokenScope::Chat,
    };
    let found = Basic::read(request.headers())?.and_then(|basic| {
        let keyset = service.store().keyset_of_project(&basic.user);
        let project = keyset
            .as_deref()
            .and_then(|keyset| keyset.project(&basic.user));
        let Some(project) = project else {
            basic.compare_with_nothing();
            return None;
        };
        let token = project.api_token(&basic.password)?;
        token.scopes.contains(&wanted).then_some(())?;
        Some((basic.user, keyset?))
    });
    found.ok_or_else(|| {
        let refused = service.credential_refused(Credential::Basic, Actor::current_peer());
        refused.map_or_else(Fault::TooManyAttempts, |()| Fault::Unauthorized)
    })
}
