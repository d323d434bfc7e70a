//! `POST /uppy/s3/presign`: requests that Uppy 6 has signed, one by one (`signRequest`).
//!
//! Whole files go by a form, whose policy limits the size. Of an upload in parts only the parts go to storage: whoever begins, lists, joins and
//! aborts at storage could join what nobody has checked, so those requests come to [`super::s3_parts`], which answers as S3 does.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::upload::UploadPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{ApiError, Json, Refused};

use super::{PublicOrigin, Uploader, companion};
use crate::App;
use crate::create_upload::{Transfer, create_upload};

/// What the client wants to send to S3.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnsignedRequest {
    #[schema(example = "PUT")]
    method: String,
    /// Of a new file, what the client would like, of which the name is kept; else the key that it was given.
    key: String,
    content_type: Option<String>,
    upload_id: Option<String>,
    part_number: Option<u32>,
}

/// How to send it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct SignedRequest {
    url: String,
    /// Of a new file: where it will be. The file's id is its last part.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Of a whole file: a form's fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<BTreeMap<String, String>>,
}

/// Uppy 6: have a request signed
#[utoipa::path(post, path = "/s3/presign", tag = "clients", request_body = UnsignedRequest,
    responses(
        (status = 200, description = "The request", body = SignedRequest),
        Refused,
    ))]
pub(crate) async fn presign(
    State(app): State<App>,
    uploader: Uploader,
    origin: PublicOrigin,
    Json(body): Json<UnsignedRequest>,
) -> Result<axum::Json<SignedRequest>, ApiError> {
    let now = aws::clock::now();
    let content_type = body.content_type.as_deref().unwrap_or_default();
    let signed = match (body.method.as_str(), body.upload_id.as_deref(), body.part_number) {
        ("PUT", None, None) => {
            let upload = super::accepted(&app, name_in(&body.key), None, content_type)?;
            let form = super::begin_form(&app, uploader, upload, now).await?;
            SignedRequest { url: form.url, key: form.fields.get("key").cloned(), fields: Some(form.fields) }
        }
        ("POST", None, None) => {
            let upload = super::accepted(&app, name_in(&body.key), None, content_type)?;
            let transfer = Transfer::Parts { has_checksums: false };
            let record = create_upload(&app, uploader.owner, upload, transfer, None, now).await?;
            let url = format!("{}?uploads", multipart_url(&app, &origin, &record, now)?);
            SignedRequest { url, key: Some(record.object_key().to_string()), fields: None }
        }
        ("PUT", Some(upload_id), Some(number)) => {
            let record = super::upload_under(&app, &uploader, &body.key, upload_id).await?;
            let (url, _) = companion::part_url(&app, &record, number, UploadPolicy::UPLOAD_TTL, now).await?;
            SignedRequest { url, ..SignedRequest::default() }
        }
        ("GET" | "POST" | "DELETE", Some(upload_id), None) => {
            let record = super::upload_under(&app, &uploader, &body.key, upload_id).await?;
            let url = multipart_url(&app, &origin, &record, now)?;
            SignedRequest { url, ..SignedRequest::default() }
        }
        _ => return Err(ApiError::NotAnUpload),
    };
    Ok(axum::Json(signed))
}

/// Where a client that thinks it talks to S3 begins, lists, joins and aborts this one upload. The token in it is worth as much.
pub(super) fn multipart_url(
    app: &App,
    origin: &PublicOrigin,
    record: &Record,
    now: Timestamp,
) -> Result<String, ApiError> {
    let token = app.link_key.signer.sign_parts(record.file_id, record.upload_deadline, now)?;
    Ok(format!("{origin}/multipart/{token}"))
}

/// The name in a key that Uppy made up: it puts a UUID and a dash before it.
fn name_in(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    match name.split_at_checked(36) {
        Some((id, rest)) if Uuid::try_parse(id).is_ok() => rest.strip_prefix('-').unwrap_or(name),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_follows_the_uuid() {
        for (key, name) in [
            ("0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e-report.pdf", "report.pdf"),
            ("folder/report.pdf", "report.pdf"),
            ("0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e", "0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e"),
            (
                "a-very-long-name-that-is-not-a-uuid-but-has-dashes.pdf",
                "a-very-long-name-that-is-not-a-uuid-but-has-dashes.pdf",
            ),
            ("übergrößenträgerübergrößenträger.pdf", "übergrößenträgerübergrößenträger.pdf"),
        ] {
            assert_eq!(name_in(key), name);
        }
    }
}
