alter table project add column redirect boolean null;
