-- Whether clients that pull from the project are sent to the object store; null: as the settings say.
alter table project add column redirect bigint null;
