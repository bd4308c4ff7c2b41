//! Every kind of identity and everything beside `/v2`.

use std::collections::BTreeSet;

use plura_testkit::{Answer, Client, Issuer};
use reqwest::Method;

use super::Closed;
use super::grid::{Grid, Line, OUTSIDERS, check_alike};
use super::people;

/// A private project, a public one, and one that there is not.
const PROJECTS: [&str; 3] = ["apps", "open", "none"];

/// What is expected for each request and identity; where a project is asked about, of each of
/// [`PROJECTS`] in their order.
///
/// `+` let through; `L` 401, to log in; `-` 403; `?` 404, as if there were no such project.
///
/// What is let through is made so that it changes nothing: it is answered with the status at the end
/// of the row.
const TABLE: &str = r#"
verb    path                                                              body                               anonymous nobody stranger reader developer promoter maintainer maintainer-all admin-all root robot root-limited root-docker job there
GET    /                                                                  -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /healthz                                                           -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /readyz                                                            -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /metrics                                                           -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /v1/registry/gc                                                    []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /auth/token                                                        -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   200
POST   /auth/token                                                        -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   400
GET    /auth/keys                                                         -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/keys/attestation                                           -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   200
POST   /auth/exchange                                                     {}                                 +         +      +        +      +         +        +          +              +         +    +     +            +           +   400
POST   /auth/login                                                        {}                                 +         +      +        +      +         +        +          +              +         +    +     +            +           +   400
POST   /auth/logout                                                       -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   204
GET    /auth/oidc/login                                                   -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   404
GET    /auth/oidc/callback                                                -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   400
GET    /api/v1/openapi.json                                               -                                  +         +      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/me                                                         -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/access/explain?as=user:sam&action=pull&repository=apps/web -                                  L         L      +        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/users                                                      -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/users                                                      {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/users/sam                                                  -                                  L         L      +        -      -         -        -          -              +         +    -     -            -           -   200
PATCH  /api/v1/users/sam                                                  {}                                 L         L      +        -      -         -        -          -              +         +    -     -            -           -   200
PATCH  /api/v1/users/sam                                                  {"disabled":false}                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
PATCH  /api/v1/users/sam                                                  {"administrator":false}            L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
DELETE /api/v1/users/absent                                               -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
PUT    /api/v1/users/sam/password                                         {}                                 L         L      +        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/users/sam/sessions                                         -                                  L         L      +        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/tokens                                                     -                                  L         L      +        +      +         +        +          +              +         +    +     -            -           +   200
GET    /api/v1/tokens?user=sam                                            -                                  L         L      +        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/tokens                                                     {}                                 L         L      +        +      +         +        +          +              +         +    +     -            -           +   400
DELETE /api/v1/tokens/absent                                              -                                  L         L      +        +      +         +        +          +              +         +    +     -            -           +   400
DELETE /api/v1/keys/absent                                                -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/projects                                                   -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
POST   /api/v1/projects                                                   {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/projects/PROJECT                                           -                                  L+L       L+L    ?+?      ++?    ++?       ++?      ++?        ++?            ++?       ++?  ++?   ?+?          ?+?         ++? 200
PATCH  /api/v1/projects/PROJECT                                           {}                                 LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 200
PATCH  /api/v1/projects/PROJECT                                           {"quota_tags":null}                LLL       LLL    ?-?      --?    --?       --?      --?        ---            ++?       ++?  --?   ?-?          ?-?         --? 200
PATCH  /api/v1/projects/PROJECT                                           {"redirect":"inherit"}             LLL       LLL    ?-?      --?    --?       --?      --?        ---            ++?       ++?  --?   ?-?          ?-?         --? 200
DELETE /api/v1/projects/PROJECT                                           -                                  LLL       LLL    ---      ---    ---       ---      ---        ---            ++?       ++?  ---   ---          ---         --- 409
GET    /api/v1/members                                                    -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/members                                                    {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/members/absent                                             -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/projects/PROJECT/members                                   -                                  LLL       LLL    ?-?      +-?    +-?       +-?      +-?        ++?            ++?       ++?  +-?   ?-?          ?-?         +-? 200
POST   /api/v1/projects/PROJECT/members                                   {}                                 LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 400
DELETE /api/v1/projects/PROJECT/members/absent                            -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 400
GET    /api/v1/robots                                                     -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/robots?project=PROJECT                                     -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 200
POST   /api/v1/robots                                                     {"name":"a+b"}                     L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
POST   /api/v1/robots                                                     {"name":"a+b","project":"PROJECT"} LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 400
GET    /api/v1/robots/robot+scanner                                       -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/robots/robot+PROJECT+ci                                    -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 200
PATCH  /api/v1/robots/robot+scanner                                       {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
PATCH  /api/v1/robots/robot+PROJECT+ci                                    {}                                 LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 200
DELETE /api/v1/robots/robot+absent                                        -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
DELETE /api/v1/robots/robot+PROJECT+absent                                -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 404
POST   /api/v1/robots/robot+scanner/rotate                                []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
POST   /api/v1/robots/robot+PROJECT+ci/rotate                             []                                 LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 400
GET    /api/v1/trust                                                      -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/trust                                                      {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/trust/absent                                               -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
PUT    /api/v1/trust/absent                                               {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/trust/absent                                               -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/trust-policies                                            -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/trust-policies/absent                                     -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
PUT    /api/v1/trust-policies/absent                                     {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/trust-policies/absent                                     -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/trust-root                                                -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
PUT    /api/v1/trust-root                                                []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/trust-root                                                -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/evidence?repository=PROJECT/web&reference=v1              -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/evidence-bundle?repository=PROJECT/web&reference=v1       -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/release-notes?repository=PROJECT/web&from=v1&to=v1        -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
POST   /api/v1/evidence/verify?repository=PROJECT/web&reference=v1       []                                 L+L       L+L    -+-      ++-    ++-       ++-      ++-        +++            +++       +++  ++-   +--          +--         ++- 400
GET    /api/v1/audit                                                      -                                  L         L      -        -      -         -        -          +              +         +    -     -            -           -   200
GET    /api/v1/audit?project=PROJECT                                      -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 200
GET    /log/checkpoint                                                    -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /log/tile/absent                                                   -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   404
GET    /api/v1/log                                                        -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/log/entries                                                -                                  L         L      -        -      -         -        -          +              +         +    -     -            -           -   200
GET    /api/v1/log/proof?index=0                                          -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   404
GET    /api/v1/log/check                                                  -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/images?repository=PROJECT/web&reference=v1                 -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/tree?repository=PROJECT/web&reference=v1            -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/contents?repository=PROJECT/web&reference=v1        -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/packages?repository=PROJECT/web&reference=v1        -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/sbom?repository=PROJECT/web&reference=v1            -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/sbom/comparison?repository=PROJECT/web&reference=v1 -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/base?repository=PROJECT/web&reference=v1            -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
POST   /api/v1/images/read?repository=PROJECT/web&reference=v1            -                                  LLL       LLL    ---      ---    ---       ---      +--        ++?            ++?       ++?  ---   +--          ---         +-- 200
GET    /api/v1/bases/images?digest=sha256:0000000000000000000000000000000000000000000000000000000000000000 -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/images/manifest?repository=PROJECT/web&reference=v1        -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/config?repository=PROJECT/web&reference=v1          -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/diff?repository=PROJECT/web&reference=v1&to_reference=v1  -                            L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
GET    /api/v1/images/diff?repository=open/web&reference=v1&to_repository=PROJECT/web&to_reference=v1  -     L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   ---          ---         ++- 200
GET    /api/v1/images/vulnerabilities?repository=PROJECT/web&reference=v1 -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
POST   /api/v1/images/reports?repository=PROJECT/web&reference=v1        []                                 LLL       LLL    ---      ---    +--       ---      +--        ++?            ++?       ++?  +--   +--          +--         +-- 400
GET    /api/v1/vulnerabilities?cve=CVE-2026-1                            -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/advisories                                                -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
POST   /api/v1/advisories?source=absent                                  []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/advisories/absent                                         -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/vex                                                       -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/vex                                                       []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/vex/absent                                                -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/exceptions                                                -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/exceptions                                                {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
POST   /api/v1/exceptions/import                                         {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/exceptions/absent                                         -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
POST   /v1/registry/promote                                              {"repo":"PROJECT/web","to":"-","digest":"-"} LLL       LLL    ---      ---    ---       +--      ---        ---            +++       +++  ---   ---          ---         --- 400
POST   /v1/registry/rollback                                             {"repo":"PROJECT/web","to":"-"}    LLL       LLL    ---      ---    ---       +--      ---        ---            +++       +++  ---   ---          ---         --- 400
GET    /v1/registry/metrics                                              -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
GET    /v1/registry/metrics?repo=PROJECT/web                             -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        +++            +++       +++  ++-   +--          +--         ++- 200
GET    /api/v1/channels                                                  -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/channels/history?channel=prod&service=web                 -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   404
POST   /api/v1/channels/release                                          {"repo":"PROJECT/web","channel":"-"} LLL       LLL    ---      ---    ---       +--      ---        ---            +++       +++  ---   ---          ---         --- 400
GET    /api/v1/promotions                                                -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/promotions/absent                                         -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   400
POST   /api/v1/promotions/absent/cancel                                  {}                                 L         L      +        +      +         +        +          +              +         +    +     +            +           +   400
GET    /api/v1/scanners                                                  -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
POST   /api/v1/scanners                                                  {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/scanners/absent                                           -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /scanner/api/v1/metadata                                          -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
POST   /scanner/api/v1/scan {"registry":{"url":"http://x"},"artifact":{"repository":"PROJECT/web","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}} L+L       L+L    -+-      ++-    ++-       ++-      ++-        +++            +++       +++  ++-   +--          +--         ++- 422
GET    /scanner/api/v1/scan/absent/report - + + + + + + + + + + + + + + 404
GET    /api/v1/webhooks                                                   -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/webhooks                                                   {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
PATCH  /api/v1/webhooks/absent                                            {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/webhooks/absent                                            -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
POST   /api/v1/webhooks/absent/test                                       -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/webhooks/absent/deliveries                                 -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
POST   /api/v1/webhooks/absent/replay                                     []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/projects/PROJECT/webhooks                                  -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 200
POST   /api/v1/projects/PROJECT/webhooks                                  {}                                 LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 400
PATCH  /api/v1/projects/PROJECT/webhooks/absent                           {}                                 LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 400
DELETE /api/v1/projects/PROJECT/webhooks/absent                           -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 404
POST   /api/v1/projects/PROJECT/webhooks/absent/test                      -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 404
GET    /api/v1/projects/PROJECT/webhooks/absent/deliveries                -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        ++?            ++?       ++?  --?   ?-?          ?-?         +-? 404
POST   /api/v1/projects/PROJECT/webhooks/absent/replay                    []                                 LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 400
GET    /api/v1/events                                                     -                                  L         L      -        -      -         -        -          +              +         +    -     -            -           -   200
GET    /api/v1/events?project=PROJECT                                     -                                  LLL       LLL    ?-?      --?    --?       --?      +-?        +++            +++       +++  --?   ?-?          ?-?         +-? 200
GET    /api/v1/jobs                                                       -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/jobs/absent/pause                                          -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
POST   /api/v1/jobs/absent/resume                                         -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
POST   /api/v1/jobs/absent/retry                                          -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
PUT    /api/v1/jobs/absent/tuning                                         {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/policy                                                    -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
PUT    /api/v1/policy?reason=r                                           []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/policy/versions                                           -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
GET    /api/v1/policy/versions/1                                         -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   404
POST   /api/v1/policy/check                                              []                                 L         L      +        +      +         +        +          +              +         +    +     +            +           +   400
POST   /api/v1/policy/diff                                               []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
POST   /api/v1/policy/simulate                                           []                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
GET    /api/v1/decisions?repository=PROJECT/web&reference=v1&channel=prod:stable -                          L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 400
GET    /api/v1/decisions/history?repository=PROJECT/web                  -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        +++            +++       +++  ++-   +--          +--         ++- 200
GET    /api/v1/approvals?repository=PROJECT/web&reference=v1             -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
POST   /api/v1/approvals?repository=PROJECT/web&reference=v1             {}                                 LLL       LLL    ---      ---    ---       +--      ---        ---            +++       +++  ---   ---          ---         --- 400
DELETE /api/v1/approvals?repository=PROJECT/web&approval=00000000-0000-0000-0000-000000000000 -             LLL       LLL    ---      ---    ---       +--      ---        ---            +++       +++  ---   ---          ---         --- 404
GET    /api/v1/checks?repository=PROJECT/web&reference=v1                -                                  L+L       L+L    -+-      ++-    ++-       ++-      ++-        ++?            ++?       ++?  ++-   +--          +--         ++- 200
POST   /api/v1/checks?repository=PROJECT/web&reference=v1                {}                                 LLL       LLL    ---      ---    +--       ---      +--        +++            +++       +++  +--   +--          +--         +-- 400
GET    /api/v1/blocks                                                    -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/blocks                                                    {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/blocks?reason=r&digest=sha256:0000000000000000000000000000000000000000000000000000000000000000 - L       L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/freezes                                                   -                                  L         L      +        +      +         +        +          +              +         +    +     +            +           +   200
POST   /api/v1/freezes                                                   {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/freezes/00000000-0000-0000-0000-000000000000              -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/holds                                                     -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
POST   /api/v1/holds                                                     {}                                 L         L      -        -      -         -        -          -              +         +    -     -            -           -   400
DELETE /api/v1/holds/00000000-0000-0000-0000-000000000000?reason=r       -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   404
GET    /api/v1/retention/runs                                            -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
GET    /api/v1/usage                                                     -                                  L         L      -        -      -         -        -          -              +         +    -     -            -           -   200
"#;

/// A row of the table.
struct Row {
    method: Method,
    target: &'static str,
    body: Option<&'static str>,
    cells: Vec<&'static str>,
    allowed: u16,
}

fn rows() -> (Vec<&'static str>, Vec<Row>) {
    let grid = Grid::read(TABLE, 3);
    let row = |line: Line| {
        let [method, target, body] = line.request[..] else { unreachable!("that many") };
        let method = method.parse().expect("a method");
        let body = (body != "-").then_some(body);
        let allowed = line.rest[0].parse().expect("a status");
        Row { method, target, body, cells: line.cells, allowed }
    };
    (grid.identities, grid.lines.into_iter().map(row).collect())
}

impl Row {
    async fn ask(&self, client: &Client, project: &str) -> Answer {
        let target = self.target.replace("PROJECT", project);
        let request = client.request(self.method.clone(), &target);
        match self.body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                request.body(body.replace("PROJECT", project)).await
            }
            None if self.method == Method::POST => request.body("").await,
            None => request.await,
        }
    }

    /// What an answer says, in a letter of the table.
    fn letter(&self, answer: &Answer) -> char {
        let challenge = answer.header_if_any("www-authenticate").is_some();
        let message = if answer.status == 404 { answer.error_message() } else { String::new() };
        let is_code = |code: &str| answer.error_codes() == [code];
        match answer.status {
            401 if challenge && is_code("UNAUTHORIZED") => 'L',
            403 if !challenge && is_code("DENIED") => '-',
            404 if message.starts_with("there is no project") => '?',
            404 if self.allowed != 404 && is_code("NOT_FOUND") => '?',
            status if status == self.allowed => '+',
            _ => '!',
        }
    }

    /// Method and path, the names in the path replaced by what the route calls them.
    fn is_about(&self, method: &str, path: &str) -> bool {
        let own = self.target.split('?').next().unwrap_or_default();
        let matches = |(own, route): (&str, &str)| own == route || route.starts_with('{');
        self.method.as_str() == method
            && own.split('/').count() == path.split('/').count()
            && own.split('/').zip(path.split('/')).all(matches)
    }
}

#[test]
fn every_route_has_a_row() {
    let (_, rows) = rows();
    let without: Vec<_> = plura_http::routes()
        .into_iter()
        .filter(|route| !rows.iter().any(|row| row.is_about(route.verb.as_str(), route.path)))
        .collect();
    assert!(without.is_empty(), "add rows for {without:#?}");
}

#[tokio::test]
async fn everything_that_the_description_names_has_a_row() {
    let closed = Closed::start();
    let (_, rows) = rows();
    let description = closed.client.get("/api/v1/openapi.json").await.expect(200).json();
    let paths = description["paths"].as_object().expect("paths");
    assert!(paths.len() > 20, "{paths:?}");
    for (path, item) in paths {
        for method in item.as_object().expect("methods").keys().map(|key| key.to_uppercase()) {
            if ["SUMMARY", "DESCRIPTION", "PARAMETERS", "SERVERS"].contains(&method.as_str()) {
                continue;
            }
            let found = rows.iter().any(|row| row.is_about(&method, path));
            assert!(found, "add a row for {method} {path}");
        }
    }
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let mut closed = Closed::start();
    let issuer = Issuer::start().await;
    closed.project("apps").await;
    closed.public_project("open").await;
    closed.image("apps/web").await;
    closed.image("open/web").await;
    let everybody = people::everybody(&mut closed, &issuer).await;
    closed.robot(serde_json::json!({"name": "ci", "project": "open"})).await;
    let (identities, rows) = rows();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &rows {
        for (identity, cell) in identities.iter().zip(&row.cells) {
            let mut answers = Vec::new();
            for (project, expected) in PROJECTS.iter().zip(cell.chars()) {
                let answer = row.ask(&everybody[identity], project).await;
                let got = row.letter(&answer);
                if got != expected {
                    let what = answer.describe();
                    wrong.push(format!("{identity}: expected {expected}, got {got}: {what}"));
                }
                seen.insert(got);
                answers.push(answer);
            }
            if OUTSIDERS.contains(identity) && answers.len() == PROJECTS.len() {
                check_alike(identity, &answers[0], &answers[2]);
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n\n"));
    assert_eq!(seen, BTreeSet::from(['+', 'L', '-', '?']));
}
