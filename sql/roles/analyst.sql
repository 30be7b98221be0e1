-- A PostgreSQL role that may read the views and nothing else. Run it as the owner of the schema, again after an
-- upgrade that adds a view (an upgrade keeps the grants of the views that were there):
--   psql DATABASE -f sql/roles/analyst.sql
--   GRANT al_analyst TO somebody;
-- Views read their tables with the rights of the views' owner, so the role needs none on the tables.
DO $$
DECLARE
    view_name text;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'al_analyst') THEN
        CREATE ROLE al_analyst NOLOGIN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO al_analyst', current_schema());
    FOR view_name IN SELECT viewname FROM pg_views WHERE schemaname = current_schema() LOOP
        EXECUTE format('GRANT SELECT ON %I TO al_analyst', view_name);
    END LOOP;
END
$$;
