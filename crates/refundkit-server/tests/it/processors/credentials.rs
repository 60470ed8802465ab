//! Credentials: tried with a harmless call, and explained when they are refused.

use refundkit::processor::ProcessorErrorKind;

use super::{Credential, NO_REFUNDS, prepared, refused, worlds};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_credential_names_its_account_and_changes_nothing() {
    for world in worlds().await {
        let before = world.asked().await.len();
        let report = world.processor().verify_credentials().await.unwrap();
        assert!(report.account.is_some_and(|account| !account.is_empty()));
        assert!(report.account_name.is_some_and(|name| !name.is_empty()));
        assert!(report.missing_permissions.is_empty());
        let asked = world.asked().await.split_off(before);
        assert!(asked.iter().all(|asked| asked.method == "GET"), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_may_not_read_its_account_is_good_all_the_same() {
    for world in worlds().await {
        let report = world.processor_with(Credential::ReadOnly).verify_credentials().await.unwrap();
        assert_eq!((report.account, report.account_name), (None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_credential_lacks_is_found_without_changing_anything() {
    for world in worlds().await {
        let plain = world.payments().plain;
        let report = world.processor_with(Credential::ReadOnly).verify_credentials().await.unwrap();
        assert_eq!(report.missing_permissions, ["rak_charge_write"]);
        assert_eq!(world.books(plain.charge).await, NO_REFUNDS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_or_unknown_credential_is_refused_in_words_that_do_not_show_it() {
    for world in worlds().await {
        let mut hints = Vec::new();
        for credential in [Credential::Expired, Credential::Unknown] {
            let processor = world.processor_with(credential);
            let plain = world.payments().plain;
            let errors = [
                processor.verify_credentials().await.unwrap_err(),
                processor.retrieve_charge(&plain.id.parse().unwrap()).await.unwrap_err(),
                refused(processor.submit_refund(&prepared(processor.as_ref(), &plain, 100)).await),
            ];
            for error in errors {
                assert_eq!((error.kind, error.detail.status_code), (ProcessorErrorKind::InvalidCredential, Some(401)));
                assert!(error.detail.message.contains("***"), "{}", error.detail.message);
                hints.push(error.hint.unwrap());
            }
            assert_eq!(world.books(plain.charge).await, NO_REFUNDS);
        }
        assert_ne!(hints.first(), hints.last(), "an expired key and an unknown one need different help");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_may_not_refund_is_told_which_permission_it_lacks() {
    for world in worlds().await {
        let (processor, plain) = (world.processor_with(Credential::ReadOnly), world.payments().plain);
        let error = refused(processor.submit_refund(&prepared(processor.as_ref(), &plain, 100)).await);
        assert_eq!((error.kind, error.detail.status_code), (ProcessorErrorKind::MissingPermission, Some(403)));
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("Charges and Refunds: Write")), "{error:?}");
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("rak_charge_write")), "{error:?}");
        assert_eq!(world.books(plain.charge).await, NO_REFUNDS);
    }
}
