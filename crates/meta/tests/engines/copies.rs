//! A database is moved as a whole, from one engine to the other and back.

use plura_meta::{
    Db, Error, Location, Timestamp,
    copy::{Copied, TABLES, copy, digests},
    repository,
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::{in_file, nothing_on_server, on_server};

/// Rows in every table, with what texts and bytes can hold.
#[expect(clippy::too_many_lines, reason = "it is a list: a row of every table")]
async fn fill(location: &Location) {
    let Location::File(path) = location else { panic!("a file") };
    let mut connection =
        SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let many = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500)";
    let statements = [
        "insert into project (id, name, is_public, quota_bytes, created_at)
         values (7, 'app', 1, 9000000000, 1), (9, 'other', 0, null, 2)"
            .to_owned(),
        "update project set redirect = 0 where id = 9".to_owned(),
        "insert into repository (id, name, created_at, project_id)
         values (3, 'app/x', 1, 7), (5, 'other/y', 2, 9)"
            .to_owned(),
        format!(
            "{many} insert into blob (id, digest, size, storage_key, created_at)
             select i, 'sha256:' || i, i * 1000000007, 'key' || i, i from n"
        ),
        format!("{many} insert into blob_link select 3, i, -i from n"),
        format!("{many} insert into project_blob select 7, i, 1 from n"),
        format!(
            "{many} insert into manifest (repository_id, digest, media_type, artifact_type,
                subject, annotations, size, pushed_at, bytes)
             select 3, 'sha256:' || i, 'm', case i % 2 when 0 then 'a' end, null,
                '{{\"ключ\":\"значение \\\\ ''\"}}', i, i, randomblob(i * 4) from n"
        ),
        "insert into manifest_reference select id, digest, 3 from manifest".to_owned(),
        "insert into tag values (3, 'B', 'sha256:1', 1), (3, 'a', 'sha256:2', 2)".to_owned(),
        "insert into upload (id, repository, byte_offset, hash_state, started_at, touched_at)
         values ('u', 'app/x', 0, x'', 1, 2), ('v', 'app/x', 1, x'00ff0a0d', 1, 2)"
            .to_owned(),
        "insert into review values ('blob', 0, 'sha256:1', -5), ('link', 3, 'sha256:2', 5)"
            .to_owned(),
        "insert into removal values ('k', 'd', 1, 2)".to_owned(),
        "update total set value = 17".to_owned(),
        "insert into account (id, kind, name, display_name, administrator, disabled, groups,
            created_at, project_id)
         values ('1', 'user', 'alice', 'Алиса \"x\"', 1, 0, '[]', 1, null),
                ('2', 'robot', 'r', '', 0, 1, '[]', 1, 7)"
            .to_owned(),
        "insert into credential (id, account_id, kind, name, hash, created_at)
         values ('c', '2', 'robot', '', 'h', 1)"
            .to_owned(),
        "insert into membership (id, subject_kind, subject, role, created_at, created_by)
         values ('m', 'everyone', '', 'reader', 1, 'alice')"
            .to_owned(),
        "insert into trust values ('t', '{}', 1)".to_owned(),
        "insert into used_nonce values ('i', 'n', 1)".to_owned(),
        format!(
            "{many} insert into audit (at, request_id, actor_kind, actor, method, address, action,
                target, project, outcome, rule, detail)
             select i, '', 'user', 'a' || i, '', '', '', '', '', '', '', '' from n"
        ),
        "insert into adopted_root values (4, '/srv', 'read', 1)".to_owned(),
        "insert into lease values ('l', 'h', 1)".to_owned(),
        "insert into signing_key values ('k', 'p', 1, 2)".to_owned(),
        "insert into trust_policy values ('release', '{}', 1)".to_owned(),
        "insert into trust_root values (1, '{}', 1)".to_owned(),
        "insert into evidence values (3, 'sha256:1', 'b', null, '{}', 1, null),
            (3, 'sha256:2', 'b', 1, '{}', 1, 2)"
            .to_owned(),
        "insert into evidence_review values (3, 'sha256:1', 2, 0)".to_owned(),
        "insert into evidence_walk values (1, 7)".to_owned(),
        "insert into signature_arrival values (3, 'sha256:1', 'sha256:2', 1)".to_owned(),
        "insert into manifest_build values (3, 'sha256:1', 's', 'c', '', 1)".to_owned(),
        "insert into failed_login values ('k', 5, 2, 3)".to_owned(),
        "insert into layer_contents values ('sha256:1', 1, x'28b5', null, 1),
            ('sha256:2', 1, null, 'damaged', 1)"
            .to_owned(),
        "insert into image (id, digest, basis, problem, chain, base_digest, base_name, packages,
            created_at, read_at, document)
         values (4, 'sha256:1', '1', null, 'c', 'sha256:2', 'debian', 1, null, 1, x'00')"
            .to_owned(),
        "insert into image_layer values (4, 0, 'sha256:1', 'c')".to_owned(),
        "insert into package values (6, '{}', 'npm', 'x', '1', '{}', null)".to_owned(),
        "insert into image_package values (4, 6)".to_owned(),
        "insert into image_review values ('sha256:1', 3, 1, 0)".to_owned(),
        "insert into contents_walk values (1, null, 1)".to_owned(),
        "insert into advisory_import values (4, 'npm', 1), (6, 'npm', 2)".to_owned(),
        "insert into advisory_block values (4, 0, x'00ff'), (4, 1, x''), (6, 0, x'01')".to_owned(),
        "insert into advisory_source values ('npm', 6, 'here', 'sha256:1', 2, null, 3, '{}')"
            .to_owned(),
        "insert into package (id, identity, ecosystem, name, version, document)
         values (8, 'i', 'npm', 'n', '1', '{}') on conflict do nothing"
            .to_owned(),
        "insert into package_vulnerability
         select id, 'CVE-2026-1', 1, 5, null, '{}' from package"
            .to_owned(),
        "insert into vulnerability_exception values ('e', '{}', 1, 2)".to_owned(),
        "insert into vex_document values ('sha256:1', 'v', 'a', 1, '{}')".to_owned(),
        "insert into scanner_report values (3, 'sha256:1', 's', '', 1, '{}')".to_owned(),
        "insert into channel (id, environment, tag, service, repository, place, digest, since, moves)
         values (4, 'prod', 'stable', 'x', 'app/x', 'channels/prod/x', 'sha256:1', 1, 2)"
            .to_owned(),
        "insert into channel_move
         values (4, 1, 1, 'promotion', 'sha256:2', null, 'app/x', 'channels/prod/x', 'p', 'a', '',
                '{}', 0, 7),
                (4, 2, 2, 'rollback', 'sha256:1', 'sha256:2', 'app/x', 'channels/prod/x', null, 'a',
                'r', null, 1, 7)"
            .to_owned(),
        "insert into promotion
         values ('p', 'prod', 'stable', 'x', 'app/x', 'sha256:2', 'channels/prod/x', null, 'p', 1,
                '{}', '', 'finished', null, 0, 100, 1, 2, null, 0, 1, 0, '{}', null)"
            .to_owned(),
        "insert into rollback_key values ('h', 'p', 1, 4, 1, 9, null)".to_owned(),
        "insert into idempotency_key values ('a', 'n', 'r', '{}', 1)".to_owned(),
        "insert into log_head values (1, 1, 'r', 'c', 'o', 1)".to_owned(),
        "insert into scanner values ('s', 'https://scanner.example', 1)".to_owned(),
        "insert into log_entry values (0, 1, 'k', 's', x'00ff')".to_owned(),
        "insert into log_key values ('v', 1)".to_owned(),
        "insert into log_digest values ('sha256:1', 0), ('sha256:2', 0)".to_owned(),
        "insert into summary_due values ('1', '{}', 2, 3)".to_owned(),
        "insert into tag_event values (3, 'v1', 4, 'sha256:1', 'm', 5, true)".to_owned(),
        "insert into policy_version values (1, 'sha256:1', 'format = 1', 'a', 'r', 1)".to_owned(),
        "insert into governance_state values (1, 3)".to_owned(),
        "insert into manifest_author values (3, 'sha256:1', 'alice')".to_owned(),
        "insert into approval values ('1', 'a/b', 'sha256:1', 'prod:stable', 'bob', '[]', '', 1,
            null, 2, 'bob'), ('2', 'a/b', 'sha256:1', 'prod:stable', 'bob', '[]', '', 1, 2, null,
            null)"
            .to_owned(),
        "insert into posted_check values ('a/b', 'sha256:1', 'smoke', 'ci', 'success', '', 1)"
            .to_owned(),
        "insert into digest_block values ('1', 'sha256:1', '', 'manual', 'r', 'bob', 1, null, null,
            null)"
            .to_owned(),
        "insert into channel_freeze values ('1', 'prod:*', 'r', 'bob', 1, 2, null, null)"
            .to_owned(),
        "insert into decision_facts values ('sha256:2', x'28b5')".to_owned(),
        "insert into decision values (1, 'a/b', 'sha256:1', 'prod:stable', 'allow', 'promotion',
            'sha256:3', 'sha256:2', 1, '{}')"
            .to_owned(),
        "insert into webhook values
            (5, 7, 'ci', 'https://example.com', 'harbor', '[]', 'file:app/ci', null, 1, 0, 1, 'alice'),
            (6, null, 'all', 'file:all', 'slack', '[\"tag.*\"]', null, null, 0, 3, 1, 'alice')"
            .to_owned(),
        "insert into webhook_delivery values (5, 1, 'waiting', 0, 1, 1, null, null, null),
            (5, 2, 'dead', 9, 1, 1, 2, 500, 'refused')"
            .to_owned(),
        "insert into event_cursor values (1, 2)".to_owned(),
        "insert into job values ('contents', 1, 1, 'alice', 0, 2, 'no', 2, 60)".to_owned(),
        "insert into manifest_use select repository_id, digest, 5, null, 6 from manifest"
            .to_owned(),
        "insert into hold values ('1', 'sha256:1', '', 'RCA-12', 'alice', 1, 9, null, null, null)"
            .to_owned(),
        "insert into retention_plan values (4, 'sha256:4', 'a/b', 'sha256:5', 'done', 1, 'alice', 2,
            1, 3, 4, 0, 'alice', 2, 3, 2, 3, 4, 1)"
            .to_owned(),
        "insert into retention_item values (4, 0, 'a/b', 'v1', 'sha256:1', null, 'old', 'too old', 0,
            1, 7, 'refused', 'moved')"
            .to_owned(),
    ];
    for sql in statements {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn move_all(from: &Location, to: &Location) -> Vec<Copied> {
    let mut told = Vec::new();
    let copied = copy(from, to, &mut |table| told.push(table.clone())).await.unwrap();
    assert_eq!(copied, told);
    assert_eq!(copied.len(), TABLES.len());
    copied
}

#[tokio::test]
async fn every_row_arrives_and_comes_back() {
    let (_directory, file) = in_file().await;
    fill(&file).await;
    let (database, server) = nothing_on_server();
    let copied = move_all(&file, &server).await;
    assert!(copied.iter().all(|table| table.rows > 0), "{copied:?}");
    assert_eq!(digests(&server).await.unwrap(), copied);
    let flags = "select string_agg(name || administrator || disabled, ' ' order by name)";
    assert_eq!(database.sql(&format!("{flags} from account")), "alicetruefalse rfalsetrue");

    let elsewhere = tempfile::tempdir().unwrap();
    let back = Location::File(elsewhere.path().join("back.db"));
    assert_eq!(move_all(&server, &back).await, copied);

    // Keys go on behind those that came.
    for location in [&server, &back] {
        let db = Db::connect(location).await.unwrap();
        let made = db.write(|tx| {
            Box::pin(async move {
                let name = "new/one".parse().unwrap();
                repository::find_or_create(tx, &name, Timestamp(1)).await
            })
        });
        made.await.unwrap();
        db.close().await;
        assert_ne!(digests(location).await.unwrap(), copied);
    }
    let newest = database.sql("select max(id) from repository");
    assert_eq!(newest, "6");
}

#[tokio::test]
async fn a_target_that_holds_something_is_refused_and_not_touched() {
    let (_directory, file) = in_file().await;
    fill(&file).await;
    for seed in [
        "insert into project (name, created_at) values ('mine', 1)",
        "update total set value = 1 where name = 'blobs'",
        "insert into trust values ('t', '{}', 1)",
    ] {
        let (database, server) = on_server().await;
        database.sql(seed);
        let before = digests(&server).await.unwrap();
        let refused = copy(&file, &server, &mut |_| {}).await;
        assert!(matches!(refused, Err(Error::Open { .. })), "{refused:?}");
        assert_eq!(digests(&server).await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_copy_that_fails_leaves_an_empty_target() {
    let (_directory, file) = in_file().await;
    fill(&file).await;
    let (database, server) = on_server().await;
    let empty = digests(&server).await.unwrap();
    // What the target cannot hold comes late.
    database.sql("alter table signing_key add constraint none check (kid <> 'k')");
    assert!(copy(&file, &server, &mut |_| {}).await.is_err());
    assert_eq!(digests(&server).await.unwrap(), empty);
    database.sql("alter table signing_key drop constraint none");
    // Nor does it take what changes on the way.
    database.sql(
        "create function louder() returns trigger language plpgsql as
         $$ begin new.name = upper(new.name); return new; end $$;
         create trigger louder before insert on tag for each row execute function louder()",
    );
    let refused = copy(&file, &server, &mut |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("`tag` holds something else"), "{refused}");
    assert_eq!(digests(&server).await.unwrap(), empty);
}

#[tokio::test]
async fn an_old_or_unknown_source_is_refused() {
    let (_database, server) = nothing_on_server();
    let directory = tempfile::tempdir().unwrap();
    let nowhere = Location::File(directory.path().join("none.db"));
    assert!(copy(&nowhere, &server, &mut |_| {}).await.is_err());
    assert!(!directory.path().join("none.db").exists());
    let (database, newer) = on_server().await;
    database.sql(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of tomorrow', true, '', 0)",
    );
    assert!(copy(&newer, &server, &mut |_| {}).await.is_err());
}
