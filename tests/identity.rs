//! A file belongs to the owner that a verified token names. Foreign and unknown ids get the same answer, and
//! all invalid tokens get the same refusal.

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use local::Auth;
use serde_json::{Value, json};

use crate::support::{Service, answer, text};

const SECRET: &str = "a secret of at least thirty-two bytes";
pub(crate) const ENV: [(&str, &str); 3] =
    [("JWT_ISSUER", "https://issuer.example"), ("JWT_AUDIENCE", "airlock"), ("JWT_SECRET", SECRET)];

fn now() -> i64 {
    aws::clock::now().as_secs()
}

fn claims(sub: &str) -> Value {
    let (iat, exp) = (now(), now() + 24 * 3600);
    json!({ "iss": "https://issuer.example", "aud": "airlock", "sub": sub, "iat": iat, "exp": exp })
}

fn sign(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// A token of a user, as [`ENV`] verifies it.
pub(crate) fn user_token(sub: &str) -> String {
    sign(&claims(sub))
}

/// A token of an operator.
pub(crate) fn admin_token(sub: &str) -> String {
    let mut claims = claims(sub);
    claims["scope"] = json!("files:read admin");
    sign(&claims)
}

async fn service() -> Service {
    Service::start_with(&ENV, |settings| settings.auth = Auth::Jwt).await
}

/// The status and the body, without the fields that differ between any two requests.
async fn comparable(service: &Service, token: &str, method: &str, path: &str) -> (u16, Value) {
    let method = method.parse().unwrap();
    let request =
        service.http.request(method, service.url(path)).bearer_auth(token).json(&json!({ "tags": {} }));
    let (status, mut body) = answer(request.send().await.unwrap()).await;
    if let Some(body) = body.as_object_mut() {
        body.remove("requestId");
        body.remove("instance");
    }
    (status.as_u16(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_unknown_ids_cannot_be_told_apart() {
    let service = service().await.with_token(sign(&claims("alice")));
    let file_id = service.upload("a.txt", b"alice's").await;
    service.ends_as(&file_id, "clean").await;
    let eve = sign(&claims("eve"));
    for (method, suffix) in
        [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/status"), ("GET", "/download-link")]
    {
        let mut answers = Vec::new();
        for id in
            [file_id.as_str(), "123e4567-e89b-42d3-a456-426614174000", "not-an-id", "..%2f..%2fetc%2fpasswd"]
        {
            answers.push(comparable(&service, &eve, method, &format!("/files/{id}{suffix}")).await);
        }
        assert_eq!(answers[0].0, 404, "{method} {suffix}: {}", answers[0].1);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {suffix}: {answers:?}");
    }
    let (_, listing) = comparable(&service, &eve, "GET", "/files").await;
    assert_eq!(listing["files"], json!([]));
    let (_, mine) = service.get("/files?limit=1").await;
    assert_eq!(mine["files"][0]["file_id"], file_id.as_str());
    // A link is a bearer token; a user's token is no link, and a link is no user's token.
    let link = service.link(&file_id).await;
    let anonymous = service.http.get(service.url(&link)).send().await.unwrap();
    assert_eq!(anonymous.status(), 302);
    assert_eq!(comparable(&service, link.trim_start_matches("/download/"), "GET", "/files").await.0, 401);
    assert_eq!(service.get(&format!("/download/{eve}")).await.0, 404);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_uploaded_without_tokens_belong_to_no_token_holder() {
    let open = Service::start().await;
    let file_id = open.upload("a.txt", b"from before").await;
    open.ends_as(&file_id, "clean").await;
    let directory = open.stop_and_keep().await;
    let service = Service::start_in(directory, &ENV, |settings| settings.auth = Auth::Jwt).await;
    let path = format!("/files/{file_id}");
    for (token, expected) in [
        (user_token("local"), 401),
        (admin_token("local"), 401),
        (user_token("Local"), 404),
        (user_token("alice"), 404),
        (admin_token("root"), 404),
    ] {
        assert_eq!(comparable(&service, &token, "GET", &path).await.0, expected);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_its_owners_alone() {
    let service = service().await.with_token(sign(&claims("alice")));
    for _ in 0..3 {
        service.upload("a.txt", b"x").await;
    }
    let (_, page) = service.get("/files?limit=2").await;
    let cursor = text(&page["next_cursor"]);
    assert_eq!(
        service.get(&format!("/files?limit=2&cursor={cursor}")).await.1["files"].as_array().unwrap().len(),
        1
    );
    let (status, problem) =
        comparable(&service, &sign(&claims("eve")), "GET", &format!("/files?cursor={cursor}")).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_cursor")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_token_is_refused_with_the_same_answer() {
    let service = service().await;
    let status = async |token: &str| comparable(&service, token, "GET", "/files").await;
    let with = |change: fn(&mut Value)| {
        let mut claims = claims("alice");
        change(&mut claims);
        sign(&claims)
    };
    // Clocks may differ by half a minute. Each token is made just before its use, so most of that margin
    // remains for a busy machine.
    let changes: [fn(&mut Value); 4] = [
        |_| {},
        |c| c["aud"] = json!(["other", "airlock"]),
        |c| c["exp"] = json!(now() - 1),
        |c| c["iat"] = json!(now() + 25),
    ];
    for change in changes {
        let good = with(change);
        assert_eq!(status(&good).await.0, 200, "{good}");
    }
    let mut bad: Vec<String> = ["iss", "aud", "sub", "iat", "exp"]
        .iter()
        .map(|name| {
            let mut claims = claims("alice");
            claims.as_object_mut().unwrap().remove(*name);
            sign(&claims)
        })
        .collect();
    bad.extend([
        with(|c| c["iss"] = json!("https://other.example")),
        with(|c| c["aud"] = json!("other")),
        with(|c| c["aud"] = json!(5)),
        with(|c| c["aud"] = json!([])),
        with(|c| c["sub"] = json!("")),
        with(|c| c["sub"] = json!(5)),
        with(|c| c["sub"] = json!("a\nb")),
        with(|c| c["exp"] = json!(now() - 40)),
        with(|c| c["exp"] = json!("9999999999")),
        with(|c| c["exp"] = json!(-1)),
        with(|c| c["exp"] = json!(null)),
        with(|c| c["iat"] = json!("now")),
    ]);
    let body = |token: &str| token.split('.').nth(1).unwrap().to_owned();
    let good = with(|_| {});
    let (head, signature) =
        (good.split('.').next().unwrap().to_owned(), good.split('.').nth(2).unwrap().to_owned());
    let forged = |header: &Value| {
        let mut token_header = Header::new(Algorithm::HS256);
        token_header.kid = header["kid"].as_str().map(ToOwned::to_owned);
        token_header.jku = header["jku"].as_str().map(ToOwned::to_owned);
        token_header.x5u = header["x5u"].as_str().map(ToOwned::to_owned);
        encode(&token_header, &claims("alice"), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
    };
    // {"alg":"none"}, {"alg":"NoNe"}, {"alg":"RS256"}, {"alg":"HS256","crit":["x"]}
    for header in [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJOb05lIn0",
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ",
    ] {
        bad.push(format!("{header}.{}.", body(&good)));
        bad.push(format!("{header}.{}.{signature}", body(&good)));
    }
    let other_key = EncodingKey::from_secret(b"another secret of thirty-two bytes");
    bad.extend([
        encode(&Header::new(Algorithm::HS256), &claims("alice"), &other_key).unwrap(),
        encode(
            &Header::new(Algorithm::HS512),
            &claims("alice"),
            &EncodingKey::from_secret(SECRET.as_bytes()),
        )
        .unwrap(),
        forged(&json!({ "jku": "https://evil.example/keys" })),
        forged(&json!({ "x5u": "https://evil.example/cert" })),
        format!("{head}.{}.{signature}", body(&with(|c| c["sub"] = json!("eve")))),
        format!("{head}.{}", body(&good)),
        format!("{good}.x"),
        format!("{good}="),
        good.replace('.', ""),
        "x".to_owned(),
        "x".repeat(20_000),
    ]);
    let expected = status("x").await;
    assert_eq!(expected.0, 401);
    for token in &bad {
        assert_eq!(status(token).await, expected, "{token}");
    }
    let too_early: [fn(&mut Value); 2] = [|c| c["nbf"] = json!(now() + 60), |c| c["iat"] = json!(now() + 60)];
    for change in too_early {
        let token = with(change);
        assert_eq!(status(&token).await, expected, "{token}");
    }
    let (code, _) = answer(service.http.get(service.url("/files")).send().await.unwrap()).await;
    assert_eq!(code, 401, "no token at all");
    let basic = service.http.get(service.url("/files")).header("authorization", format!("Basic {good}"));
    assert_eq!(basic.send().await.unwrap().status(), 401, "another scheme");
    assert!(bad.len() >= 35, "{}", bad.len());
    service.stop().await;
}

/// A P-256 key for tests and nothing else (PKCS #8, base64).
const TEST_KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkoz+OHk5RbQtDlKcV0j5P7LH\
    ias+jWTEx1PcadyB24OhRANCAATed/I5N4fzwpGmkQLs6dYtlWx5TiyQaVXjDLktg68SpAt7jvhZz6sawKH9SyPWXiX/yTE7\
    hPnCg6QhLHpMyCa2";

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_the_issuers_set() {
    let set = json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256",
          "x": "3nfyOTeH88KRppEC7OnWLZVseU4skGlV4wy5LYOvEqQ",
          "y": "C3uO-FnPqxrAof1LI9ZeJf_JMTuE-cKDpCEsekzIJrY" },
        { "kty": "oct", "kid": "shared", "k": "YSBzZWNyZXQgb2YgYXQgbGVhc3QgdGhpcnR5LXR3byBieXRlcw" },
        { "kty": "unheard-of", "kid": "k2" },
    ] });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let keys = Router::new().route("/jwks.json", get(async move || axum::Json(set)));
    let issuer = tokio::spawn(async move { axum::serve(listener, keys).await });
    let env = [ENV[0], ENV[1], ("JWKS_URL", url.as_str())];
    let service = Service::start_with(&env, |settings| settings.auth = Auth::Jwt).await;

    let key = EncodingKey::from_ec_der(&base64::engine::general_purpose::STANDARD.decode(TEST_KEY).unwrap());
    let token = |kid: Option<&str>| {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = kid.map(ToOwned::to_owned);
        encode(&header, &claims("alice"), &key).unwrap()
    };
    let status = async |token: &str| comparable(&service, token, "GET", "/files").await.0;
    assert_eq!(status(&token(Some("k1"))).await, 200);
    for kid in [None, Some(""), Some("k2"), Some("../../k1"), Some("k1' OR '1'='1")] {
        assert_eq!(status(&token(kid)).await, 401, "{kid:?}");
    }
    // The key set is public, so neither a shared secret in it nor the public key used as a secret may verify
    // a token.
    for secret in [SECRET.as_bytes(), TEST_KEY.as_bytes()] {
        for kid in ["shared", "k1"] {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some(kid.to_owned());
            let forged = encode(&header, &claims("alice"), &EncodingKey::from_secret(secret)).unwrap();
            assert_eq!(status(&forged).await, 401, "{kid}");
        }
    }
    // When the issuer is unreachable, users with known keys are still let in.
    issuer.abort();
    assert_eq!(status(&token(Some("k1"))).await, 200);
    service.stop().await;
}
