//! `/webhooks`: lists the endpoints and their failures, re-enables endpoints and replays events.

use aws::clock;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::delivery::EndpointId;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Admin, ApiError, Json, Refused};

use crate::App;

/// The endpoints to which events were sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct WebhookList {
    webhooks: Vec<WebhookInfo>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct WebhookInfo {
    #[schema(example = "3f2a9c0d11e4b687")]
    id: String,
    #[schema(example = "hooks.example.com")]
    host: String,
    /// When the endpoint was disabled because it answered 410; absent if it is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    disabled_at: Option<String>,
    /// The last answer of the endpoint, if that was not a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<String>,
}

/// The events to replay.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// RFC 3339. Events since then, at most two weeks back.
    #[schema(format = DateTime)]
    since: String,
    /// Replay only to this endpoint.
    endpoint: Option<String>,
    /// Replay only deliveries that were given up.
    #[serde(default)]
    failed_only: bool,
}

/// The number of deliveries that will be sent again.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    deliveries: u64,
}

/// List webhooks
#[utoipa::path(get, path = "/webhooks", operation_id = "listWebhooks",
    tag = "operators",
    responses(
        (status = 200, description = "The endpoints to which events were sent", body = WebhookList),
        Refused,
    ))]
pub(crate) async fn list(State(app): State<App>, _admin: Admin) -> Result<axum::Json<WebhookList>, ApiError> {
    let endpoints = app.stores.ledger.endpoints().await?;
    let webhooks = endpoints.into_iter().map(|(id, endpoint)| WebhookInfo {
        id: id.to_string(),
        host: endpoint.host,
        disabled_at: endpoint.disabled_at.map(|at| at.to_string()),
        last_failure: endpoint.last_failure,
    });
    Ok(axum::Json(WebhookList { webhooks: webhooks.collect() }))
}

/// Re-enable an endpoint that was disabled by a 410 response
#[utoipa::path(post, path = "/webhooks/{endpoint_id}/enable", operation_id = "enableWebhook",
    tag = "operators",
    params(("endpoint_id" = String, Path, description = "The `id` from the list of webhooks",
        example = "3f2a9c0d11e4b687")),
    responses(
        (status = 204, description = "Enabled"),
        Refused,
    ))]
pub(crate) async fn enable(
    State(app): State<App>,
    _admin: Admin,
    Path(endpoint_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = EndpointId::parse(&endpoint_id).map_err(|_| ApiError::RouteNotFound)?;
    let mut endpoint = app.stores.ledger.endpoints().await?.remove(&id).ok_or(ApiError::RouteNotFound)?;
    endpoint.disabled_at = None;
    app.stores.ledger.note_endpoint(&id, &endpoint).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replay past events to webhooks
///
/// Each event keeps its `webhook-id`, by which receivers can recognise that they have seen it.
#[utoipa::path(post, path = "/webhooks/replay", operation_id = "replayWebhooks",
    tag = "operators", request_body = ReplayRequest,
    responses(
        (status = 200, description = "The number of deliveries that will be sent again", body = Replayed),
        Refused,
    ))]
pub(crate) async fn replay(
    State(app): State<App>,
    _admin: Admin,
    Json(body): Json<ReplayRequest>,
) -> Result<axum::Json<Replayed>, ApiError> {
    let invalid = |what: &str| ApiError::InvalidBody(what.to_owned());
    let since = Timestamp::parse_rfc3339(&body.since).ok_or_else(|| invalid("`since` must be RFC 3339"))?;
    let endpoint = body.endpoint.as_deref().map(EndpointId::parse).transpose();
    let endpoint = endpoint.map_err(|_| invalid("`endpoint` is not an endpoint's id"))?;
    let (ledger, now) = (&app.stores.ledger, clock::now());
    let (mut deliveries, mut start) = (0, None);
    loop {
        let (page, next) = ledger.past_deliveries(since, start, 100).await?;
        for delivery in page {
            let is_other = endpoint.as_ref().is_some_and(|endpoint| *endpoint != delivery.endpoint);
            if is_other || (body.failed_only && !delivery.is_given_up()) {
                continue;
            }
            ledger.update_delivery(&delivery.replayed(now)).await?;
            deliveries += 1;
        }
        start = next;
        if start.is_none() {
            return Ok(axum::Json(Replayed { deliveries }));
        }
    }
}
