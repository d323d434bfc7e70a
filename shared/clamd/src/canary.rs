//! The known-bad sample that a working engine must find: the EICAR test file, assembled at run time so that
//! no scanner mistakes this source for it.

/// The 68 bytes of the EICAR test file (eicar.org, "Anti-Malware Testfile").
pub fn eicar() -> Vec<u8> {
    let halves = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];
    halves.concat().into_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_68_bytes() {
        assert_eq!(super::eicar().len(), 68);
    }
}
