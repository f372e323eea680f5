//! The endpoints, one file each. A refusal is the error of its handler.
#![allow(clippy::result_large_err)] // a refusal is an answer, and is moved no more often than any other

mod answers;
mod oauth2;
mod rules;
mod stream_v1;
mod stream_v2;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/oauth2/token", post(oauth2::token))
        .route("/2/tweets/search/stream/rules", get(rules::list).post(rules::change))
        .route("/2/tweets/search/stream", get(stream_v2::filtered))
        .route("/2/tweets/sample/stream", get(stream_v2::sample))
        .route("/1.1/statuses/filter.json", get(stream_v1::filter).post(stream_v1::filter))
        .route("/1.1/statuses/sample.json", get(stream_v1::sample))
        .fallback(answers::not_found)
        .with_state(app)
}
