//! The upload clients' own protocols create the same file as `POST /files`, within the same limits, and reach
//! no other owner's files. `tests/browser` runs the clients themselves; these requests are what only a broken
//! or hostile client sends.

use local::Auth;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::identity::{ENV, user_token};
use crate::multipart::{PART, bytes, left_behind};
use crate::support::{Service, answer, eicar, sha256, text, wait};

const MIB: usize = 1024 * 1024;

/// The id of a file whose key a client was given.
fn id_in(key: &Value) -> String {
    text(key).strip_prefix("uploads/").unwrap().to_owned()
}

async fn delete(service: &Service, path: &str) -> (StatusCode, Value) {
    answer(service.request(Method::DELETE, path).send().await.unwrap()).await
}

/// A PUT to storage, with the headers that a browser would send.
async fn put(service: &Service, url: &Value, headers: &[(&str, &str)], bytes: &[u8]) -> reqwest::Response {
    let request = service.http.put(text(url)).body(bytes.to_vec());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

/// Begins an upload as Uppy does: its id, key and path.
async fn begin(service: &Service) -> (String, String, String) {
    let metadata = json!({ "name": "large.bin", "relativePath": null });
    let body = json!({ "filename": "large.bin", "type": "", "metadata": metadata });
    let (status, begun) = service.post("/uppy/s3/multipart", &body).await;
    assert_eq!((status.as_u16(), &begun["bucket"]), (200, &json!("airlock")), "{begun}");
    let (key, upload_id) = (text(&begun["key"]), text(&begun["uploadId"]));
    (id_in(&begun["key"]), key, format!("/uppy/s3/multipart/{upload_id}"))
}

/// Sends parts from 1; their ETags as storage gave them.
async fn send(service: &Service, path: &str, key: &str, parts: &[&[u8]]) -> Vec<String> {
    let mut etags = vec![];
    for (number, part) in (1..).zip(parts) {
        let (status, signed) = service.get(&format!("{path}/{number}?key={key}")).await;
        assert_eq!(status, 200, "{signed}");
        assert_eq!(signed["expires"], 900);
        let sent = put(service, &signed["url"], &[], part).await;
        assert_eq!(sent.status(), 200);
        etags.push(sent.headers()["etag"].to_str().unwrap().to_owned());
    }
    etags
}

fn listed(etags: &[String]) -> Value {
    let parts = (1..).zip(etags).map(|(number, etag)| json!({ "PartNumber": number, "ETag": etag }));
    json!({ "parts": parts.collect::<Vec<_>>() })
}

#[tokio::test(flavor = "multi_thread")]
async fn companion_gives_a_form_for_a_whole_file() {
    let service = Service::start().await;
    let query = "filename=a.txt&type=null&metadata%5Bname%5D=a.txt&metadata%5BrelativePath%5D=null";
    let response = service.request(Method::GET, &format!("/uppy/s3/params?{query}")).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, form) = answer(response).await;
    assert_eq!((status.as_u16(), &form["method"]), (200, &json!("POST")), "{form}");
    let accepted = crate::support::Accepted { file_id: id_in(&form["fields"]["key"]), upload: form };
    assert_eq!(service.post_form(&accepted, &eicar()).await.status(), 201);
    service.ends_as(&accepted.file_id, "infected").await;
    // The client looks the file up by its key.
    let key = text(&accepted.upload["fields"]["key"]);
    let (_, found) = service.get(&format!("/files?key={key}")).await;
    assert_eq!(found["files"][0]["file_id"], accepted.file_id.as_str(), "{found}");
    for other in [
        "uploads/0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e",
        "nothing",
        "uploads/",
        &format!("{key}&status=clean"),
    ] {
        assert_eq!(service.get(&format!("/files?key={other}")).await.1["files"], json!([]), "{other}");
    }
    for (query, status, code) in [
        ("filename=a.exe&type=", 422, "extension_not_allowed"),
        ("filename=&type=", 422, "filename_empty"),
        ("type=", 400, "invalid_query"),
    ] {
        let (found, problem) = service.get(&format!("/uppy/s3/params?{query}")).await;
        assert_eq!((found.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(problem["message"], problem["detail"]);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn companion_joins_the_parts_that_were_sent_and_no_others() {
    let service = Service::start().await;
    let whole = bytes(6 * MIB + 99);
    let (file_id, key, path) = begin(&service).await;
    let etags = send(&service, &path, &key, &[&whole[..6 * MIB], &whole[6 * MIB..]]).await;
    let (_, list) = service.get(&format!("{path}?key={key}")).await;
    assert_eq!(list[1], json!({ "PartNumber": 2, "ETag": etags[1], "Size": 99 }), "{list}");
    let (_, batch) = service.get(&format!("{path}/batch?key={key}&partNumbers=1,2,3")).await;
    assert_eq!(batch["presignedUrls"].as_object().unwrap().len(), 3, "{batch}");

    let complete = format!("{path}/complete?key={key}");
    for wrong in [&etags[..1], &[], &[etags[0].clone(), etags[0].clone()]] {
        let (status, problem) = service.post(&complete, &listed(wrong)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("part_mismatch")), "{problem}");
    }
    // A client with the part's URL sends other bytes before the parts are joined.
    put(&service, &batch["presignedUrls"]["2"], &[], b"other").await;
    let (status, problem) = service.post(&complete, &listed(&etags)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("part_mismatch")), "{problem}");
    put(&service, &batch["presignedUrls"]["2"], &[], &whole[6 * MIB..]).await;

    // Uppy 6 leaves the quotes out.
    let bare: Vec<String> = etags.iter().map(|etag| etag.trim_matches('"').to_owned()).collect();
    let (status, done) = service.post(&complete, &listed(&bare)).await;
    assert_eq!((status.as_u16(), &done["key"]), (200, &json!(key)), "{done}");
    assert_eq!(text(&done["location"]), service.url(&format!("/files/{file_id}")));
    let info = service.ends_as(&file_id, "clean").await;
    assert_eq!(info["scan_result"]["sha256"], sha256(&whole));
    assert_eq!(service.post(&complete, &listed(&bare)).await.0, 200, "again");
    // A completed upload cannot be completed with other parts, or aborted.
    let (status, problem) = delete(&service, &format!("{path}?key={key}")).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("upload_over")));
    assert_eq!(put(&service, &batch["presignedUrls"]["1"], &[], b"late").await.status(), 404);
    assert_eq!(service.get(&format!("{path}/1?key={key}")).await.0, 409);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn companion_refuses_what_is_too_large_and_forgets_what_is_aborted() {
    let service = Service::start_with(&[("MAX_FILE_SIZE", "10000000")], |_| {}).await;
    let (file_id, key, path) = begin(&service).await;
    assert_eq!(service.get(&format!("{path}/3?key={key}")).await.1["code"], "no_such_part");
    let etags = send(&service, &path, &key, &[&bytes(5 * MIB), &bytes(5 * MIB)]).await;
    let (status, problem) = service.post(&format!("{path}/complete?key={key}"), &listed(&etags)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (413, &json!("file_too_large")), "{problem}");
    assert_eq!(left_behind(&service, &file_id).await, (0, false), "it never gets smaller");

    let (file_id, key, path) = begin(&service).await;
    send(&service, &path, &key, &[b"begun"]).await;
    for _ in 0..2 {
        assert_eq!(delete(&service, &format!("{path}?key={key}")).await, (StatusCode::OK, json!({})));
    }
    assert_eq!(left_behind(&service, &file_id).await, (0, false));
    // Another upload's id, another file's key.
    let (_, other_key, other_path) = begin(&service).await;
    for (path, key) in [(&path, &other_key), (&other_path, &key)] {
        let (status, problem) = service.get(&format!("{path}?key={key}")).await;
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("file_not_found")));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_token_uploads_and_does_nothing_else() {
    let service = Service::start_with(&ENV, |settings| settings.auth = Auth::Jwt).await;
    let service = service.with_token(user_token("alice"));
    let (status, given) = service.post("/upload-tokens", &json!({})).await;
    assert_eq!(status, 201, "{given}");
    let (token, companion) = (text(&given["token"]), text(&given["companion_url"]));
    assert_eq!(companion, service.url(&format!("/uppy/t/{token}")));
    let form = service.http.get(format!("{companion}/s3/params?filename=a.txt&type=")).send().await.unwrap();
    let (status, form) = answer(form).await;
    assert_eq!(status, 200, "{form}");
    let file_id = id_in(&form["fields"]["key"]);
    assert_eq!(service.get(&format!("/files/{file_id}")).await.0, 200, "it is alice's");

    let begun = service.http.post(format!("{companion}/s3/multipart")).json(&json!({ "filename": "a.bin" }));
    let (_, begun) = answer(begun.send().await.unwrap()).await;
    let (key, upload_id) = (text(&begun["key"]), text(&begun["uploadId"]));
    // Bob's token gives no access to the upload.
    let service = service.with_token(user_token("bob"));
    let (_, bobs) = service.post("/upload-tokens", &json!({ "expires_in": 60 })).await;
    for base in [text(&bobs["companion_url"]), service.url("/uppy")] {
        for (method, path) in [("GET", ""), ("GET", "/1"), ("DELETE", ""), ("POST", "/complete")] {
            let url = format!("{base}/s3/multipart/{upload_id}{path}?key={key}");
            let request = service.http.request(method.parse().unwrap(), url).bearer_auth(user_token("bob"));
            let (status, problem) = answer(request.json(&json!({ "parts": [] })).send().await.unwrap()).await;
            assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("file_not_found")), "{problem}");
        }
    }
    // An upload token is accepted neither as a user's token nor as a link, and an invalid one is not echoed.
    let as_user = service.http.get(service.url("/files")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(as_user.status(), 401);
    assert_eq!(
        service.http.get(service.url(&format!("/download/{token}"))).send().await.unwrap().status(),
        404
    );
    for path in [format!("/multipart/{token}"), "/uppy/t/nonsense/s3/params?filename=a.txt".to_owned()] {
        let response = service.http.get(service.url(&path)).send().await.unwrap();
        assert_eq!(response.status(), 401, "{path}");
        let body = response.text().await.unwrap();
        assert!(
            body.contains("invalid_upload_token") && !body.contains("nonsense") && !body.contains(&token),
            "{body}"
        );
    }
    for wrong in [json!({ "expires_in": 0 }), json!({ "expires_in": 86_401 }), json!({ "ttl": 5 })] {
        assert_eq!(service.post("/upload-tokens", &wrong).await.0, 422, "{wrong}");
    }
    let (_, short) = service.post("/upload-tokens", &json!({ "expires_in": 1 })).await;
    let url = format!("{}/s3/params?filename=a.txt", text(&short["companion_url"]));
    wait::until("the token to expire", async || service.http.get(&url).send().await.unwrap().status() == 401)
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uppy_6_has_its_requests_signed_and_parts_are_joined_by_us() {
    let service = Service::start().await;
    let presign = async |body: Value| service.post("/uppy/s3/presign", &body).await;
    let wanted = "0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e-large.bin";
    let (status, signed) = presign(json!({ "method": "PUT", "key": wanted, "contentType": "a/b" })).await;
    assert_eq!((status.as_u16(), &signed["key"]), (200, &signed["fields"]["key"]), "{signed}");
    let (_, info) = service.get(&format!("/files/{}", id_in(&signed["key"]))).await;
    assert_eq!((&info["filename"], &info["content_type"]), (&json!("large.bin"), &json!("a/b")));

    let (_, created) = presign(json!({ "method": "POST", "key": wanted })).await;
    let (key, file_id) = (text(&created["key"]), id_in(&created["key"]));
    let xml = async |method: &str, url: &Value, body: &str| {
        let request = service.http.request(method.parse().unwrap(), text(url)).body(body.to_owned());
        let response = request.send().await.unwrap();
        let is_xml = response.headers().get("content-type").is_some_and(|kind| kind == "application/xml");
        (response.status().as_u16(), is_xml, response.text().await.unwrap())
    };
    let (status, is_xml, begun) = xml("POST", &created["url"], "").await;
    assert!(status == 200 && is_xml && begun.contains(&format!("<Key>{key}</Key>")), "{begun}");
    let upload_id = begun.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let whole = bytes(6 * MIB);
    let (_, part) =
        presign(json!({ "method": "PUT", "key": key, "uploadId": upload_id, "partNumber": 1 })).await;
    let sent = put(&service, &part["url"], &[], &whole).await;
    let etag = sent.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
    let (_, rest) = presign(json!({ "method": "GET", "key": key, "uploadId": upload_id })).await;
    let (_, _, list) = xml("GET", &rest["url"], "").await;
    assert!(list.contains(&etag) && list.contains("<PartNumber>1</PartNumber>"), "{list}");
    let (status, is_xml, error) =
        xml("POST", &rest["url"], "<CompleteMultipartUpload></CompleteMultipartUpload>").await;
    assert!(status == 409 && is_xml && error.contains("<Code>part_mismatch</Code>"), "{error}");
    for body in ["", "{}", "<a/>"] {
        let (status, _, error) = xml("POST", &rest["url"], body).await;
        assert!(status == 400 && error.contains("<Code>invalid_xml</Code>"), "{error}");
    }
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    let (status, _, done) = xml("POST", &rest["url"], &body).await;
    assert!(status == 200 && done.contains(&format!("/files/{file_id}</Location>")), "{done}");
    service.ends_as(&file_id, "clean").await;
    assert_eq!(xml("DELETE", &rest["url"], "").await.0, 409);

    for (body, status, code) in [
        (json!({ "method": "DELETE", "key": key }), 422, "not_an_upload"),
        (json!({ "method": "GET", "key": key }), 422, "not_an_upload"),
        (json!({ "method": "PUT", "key": key, "uploadId": upload_id }), 422, "not_an_upload"),
        (json!({ "method": "GET", "key": key, "uploadId": "other" }), 404, "file_not_found"),
        (json!({ "method": "GET", "key": "other", "uploadId": upload_id }), 404, "file_not_found"),
        (json!({ "method": "PUT", "key": "a.exe" }), 422, "extension_not_allowed"),
        (json!({ "key": "a.txt" }), 422, "invalid_body"),
    ] {
        let (found, problem) = presign(body).await;
        assert_eq!((found.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn better_upload_gets_puts_or_parts() {
    let service = Service::start_with(&[("MAX_FILE_SIZE", "300000000")], |_| {}).await;
    let file = |name: &str, size: usize, kind: &str| json!({ "name": name, "size": size, "type": kind });
    let ask = async |files: Value| {
        service.post("/better-upload", &json!({ "route": "default", "files": files })).await
    };
    let (status, signed) = ask(json!([file("a.txt", 5, "text/plain"), file("b.txt", 5, "")])).await;
    assert_eq!(status, 200, "{signed}");
    for (at, kind) in [(0, "text/plain"), (1, "")] {
        let one = &signed["files"][at];
        assert_eq!(
            (&one["headers"], &one["file"]["type"]),
            (&json!({ "if-none-match": "*" }), &json!(kind)),
            "{one}"
        );
        let headers = [("content-type", kind), ("if-none-match", "*")];
        assert_eq!(
            put(&service, &one["signedUrl"], &headers, b"longer").await.status(),
            403,
            "another length"
        );
        assert_eq!(put(&service, &one["signedUrl"], &headers, b"hello").await.status(), 200);
        assert_eq!(signed["metadata"]["file_ids"][at], id_in(&one["file"]["objectInfo"]["key"]).as_str());
        service.ends_as(&text(&signed["metadata"]["file_ids"][at]), "clean").await;
    }
    let (_, signed) = ask(json!([file("large.bin", 110_000_000, ""), file("small.bin", 5, "")])).await;
    let multipart = &signed["multipart"];
    assert_eq!(
        (&multipart["partSize"], &multipart["files"][0]["parts"][13]["size"]),
        (&json!(PART), &json!(110_000_000 - 13 * PART))
    );
    let small = &multipart["files"][1];
    let etag = put(&service, &small["parts"][0]["signedUrl"], &[], b"small").await;
    let etag = etag.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
    let body = format!(
        "<CompleteMultipartUpload>\n <Part>\n <ETag>{etag}</ETag><PartNumber>1</PartNumber></Part>\
         </CompleteMultipartUpload>"
    );
    let done = service.http.post(text(&small["completeSignedUrl"])).body(body).send().await.unwrap();
    assert_eq!(done.status(), 200);
    let aborted = service.http.delete(text(&multipart["files"][0]["abortSignedUrl"])).send().await.unwrap();
    assert_eq!(aborted.status(), 204);
    service.ends_as(&text(&signed["metadata"]["file_ids"][1]), "clean").await;
    assert_eq!(left_behind(&service, &text(&signed["metadata"]["file_ids"][0])).await, (0, false));

    for (files, status, code) in [
        (json!([]), 422, "wrong_number_of_files"),
        (json!(vec![file("a.txt", 1, ""); 21]), 422, "wrong_number_of_files"),
        (json!([file("a.txt", 1, ""), file("b.txt", 300_000_001, "")]), 413, "file_too_large"),
        (json!([file("a.txt", 0, "")]), 422, "file_empty"),
    ] {
        let (found, problem) = ask(files).await;
        assert_eq!((found.as_u16(), problem["error"]["type"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(problem["error"]["message"], problem["detail"]);
    }
    assert_eq!(
        service.get("/files").await.1["files"].as_array().unwrap().len(),
        3,
        "and nothing of the refused ones"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn active_storage_uploads_what_it_has_a_checksum_of() {
    let service = Service::start().await;
    // Of "hello".
    let checksum = "XUFAKrxLKna5cZ2REBfFkg==";
    let blob = json!({
        "filename": "a.txt", "content_type": "text/plain", "byte_size": 5, "checksum": checksum,
    });
    let (status, created) =
        service.post("/rails/active_storage/direct_uploads", &json!({ "blob": blob })).await;
    assert_eq!((status.as_u16(), &created["signed_id"]), (200, &created["id"]), "{created}");
    let headers = created["direct_upload"]["headers"].as_object().unwrap();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let url = &created["direct_upload"]["url"];
    assert!(
        headers.contains(&("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="))
            && headers.iter().all(|(name, _)| *name != "content-length")
    );
    assert_eq!(put(&service, url, &headers, b"hullo").await.status(), 400, "other bytes");
    assert_eq!(put(&service, url, &headers, b"hello!").await.status(), 403, "another length");
    assert_eq!(put(&service, url, &headers, b"hello").await.status(), 200);
    service.ends_as(&text(&created["id"]), "clean").await;
    let mut wrong = blob.clone();
    for checksum in ["", "hello", "aGVsbG8="] {
        wrong["checksum"] = checksum.into();
        let (status, problem) =
            service.post("/rails/active_storage/direct_uploads", &json!({ "blob": wrong })).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("invalid_checksum")), "{problem}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_read_answers_and_errors_and_others_do_not() {
    let ours = "http://localhost:5173";
    let service = Service::start_with(&[("ALLOWED_ORIGINS", ours)], |_| {}).await;
    let (begins, reads) = ("/uppy/s3/params?filename=a.txt", "/files/nonsense");
    for (method, path, headers, status) in [
        ("GET", reads, vec![("origin", ours)], 404),
        ("GET", reads, vec![("origin", "http://evil.example")], 404),
        ("POST", "/upload-tokens", vec![("origin", ours)], 201),
        ("POST", "/upload-tokens", vec![("origin", "http://evil.example")], 403),
        // A GET that begins an upload, as an `<img>` in a foreign page would send it.
        ("GET", begins, vec![("origin", ours)], 200),
        ("GET", begins, vec![("sec-fetch-site", "same-origin")], 200),
        ("GET", begins, vec![("sec-fetch-site", "cross-site")], 403),
    ] {
        let request = service.request(method.parse().unwrap(), path).json(&json!({}));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path} {headers:?}");
        let allowed =
            response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        let expected = headers.contains(&("origin", ours)).then_some(ours);
        assert_eq!(allowed, expected, "{method} {path} {headers:?}");
    }
    service.stop().await;
}
