//! A link works only for the judged bytes, only while they are clean, and only within its limits of number
//! and time.

use serde_json::json;

use crate::support::{Service, answer, text, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_parallel_downloads_of_a_limit_5_link_give_exactly_5() {
    let service = Service::start().await;
    let accepted =
        service.create_upload(&json!({ "filename": "a.txt", "size": 4, "max_downloads": 5 })).await;
    assert_eq!(service.put(&accepted, b"abcd").await.status(), 200);
    service.ends_as(&accepted.file_id, "clean").await;
    let url = service.url(&service.link(&accepted.file_id).await);
    let downloads: Vec<_> = (0..100).map(|_| tokio::spawn(service.http.get(&url).send())).collect();
    let mut statuses = Vec::new();
    for download in downloads {
        statuses.push(download.await.unwrap().unwrap().status().as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 302).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 410).count(), 95, "{statuses:?}");
    let (_, info) = service.get(&format!("/files/{}", accepted.file_id)).await;
    assert_eq!(info["download_count"], 5);
    let (status, problem) = service.get(&format!("/files/{}/download-link", accepted.file_id)).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (410, Some("download_limit_reached")),
        "no new link is created either"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_short_lived_pinned_and_an_attachment() {
    let service = Service::start().await;
    let body = json!({ "filename": "na\u{ef}ve \"page\".svg", "size": 6, "content_type": "image/svg+xml" });
    let accepted = service.create_upload(&body).await;
    assert_eq!(service.put(&accepted, b"<svg/>").await.status(), 200);
    service.ends_as(&accepted.file_id, "clean").await;
    let link = service.link(&accepted.file_id).await;

    let request = service.request(reqwest::Method::GET, &link).header("accept", "application/json");
    let (status, address) = answer(request.send().await.unwrap()).await;
    assert_eq!(status, 200);
    let url = text(&address["url"]);
    assert!(url.contains("versionId=") && url.contains("X-Amz-Expires=60"), "{url}");

    let head = service.request(reqwest::Method::HEAD, &link).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.headers().get("location")),
        (200, None),
        "a preview gives no address"
    );
    let (_, info) = service.get(&format!("/files/{}", accepted.file_id)).await;
    assert_eq!(info["download_count"], 1, "and is not counted");

    let served = service.http.get(&url).send().await.unwrap();
    let header = |name: &str| served.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream", "an SVG could run");
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"na_ve _page_.svg\"; filename*=UTF-8''na%C3%AFve%20_page_.svg"
    );
    assert_eq!(
        (header("x-content-type-options"), header("cache-control")),
        ("nosniff".into(), "private, no-store".into())
    );
    for (part, other) in [
        ("versionId=", "versionId=0"),
        ("attachment", "inline"),
        ("octet-stream", "html"),
        ("X-Amz-Expires=60", "X-Amz-Expires=600"),
    ] {
        let changed = url.replace(part, other);
        assert_ne!(changed, url, "{part}");
        assert_eq!(service.http.get(changed).send().await.unwrap().status(), 403, "{part} changed");
    }
    let ranged = service.http.get(&url).header("range", "bytes=1-3").send().await.unwrap();
    assert_eq!((ranged.status().as_u16(), ranged.text().await.unwrap().as_str()), (206, "svg"));
    // S3 does not support multipart/byteranges: it returns the whole object, and no error.
    for ignored in ["bytes=0-1,3-4", "bytes=4-2", "pages=1-2"] {
        let whole = service.http.get(&url).header("range", ignored).send().await.unwrap();
        assert_eq!(
            (whole.status().as_u16(), whole.text().await.unwrap().as_str()),
            (200, "<svg/>"),
            "{ignored}"
        );
    }
    let beyond = service.http.get(&url).header("range", "bytes=6-").send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_its_file_and_a_bad_token_is_no_link() {
    let service = Service::start().await;
    let file_id = service.upload("a.txt", b"abcd").await;
    service.ends_as(&file_id, "clean").await;
    let link = service.link(&file_id).await;
    for bad in ["x", "a.b.c", &format!("{}x", link.trim_start_matches("/download/"))] {
        let (status, problem) = service.get(&format!("/download/{bad}")).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (404, Some("invalid_link")), "{bad}");
        assert_eq!(problem["instance"], "/download", "the token is not repeated");
    }
    wait::until_after(service.expire_soon(&file_id).await).await;
    let (status, problem) = service.get(&link).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (410, Some("file_gone")));
    service.stop().await;
}
