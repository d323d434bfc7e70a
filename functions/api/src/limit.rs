//! Checks the parameter `limit` of lists.

use web::ApiError;

/// The largest page. The descriptions of the parameters name it too.
const MAX_LIMIT: u32 = 100;

/// Returns the number of entries on a page, `default` if the query names none.
pub(crate) fn page_limit(limit: Option<u32>, default: u32) -> Result<u32, ApiError> {
    let limit = limit.unwrap_or(default);
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        Err(ApiError::InvalidQuery(format!("`limit` must be 1 to {MAX_LIMIT}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_to_a_hundred_entries() {
        assert_eq!(page_limit(None, 20).unwrap(), 20);
        for limit in [1, 100] {
            assert_eq!(page_limit(Some(limit), 20).unwrap(), limit);
        }
        for limit in [0, 101] {
            assert!(page_limit(Some(limit), 20).is_err(), "{limit}");
        }
    }
}
