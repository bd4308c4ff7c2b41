-- `insert or replace` deletes without asking the trigger that refuses deleting.
create trigger audit_is_not_replaced before insert on audit
when exists (select 1 from audit where id = new.id)
begin
    select raise(abort, 'the audit is append-only');
end;
