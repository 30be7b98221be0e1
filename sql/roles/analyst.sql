-- A PostgreSQL role that may read the platform's views and nothing else. Run it as the owner of the schema, again after
-- an upgrade that adds a view (an upgrade keeps the grants of the views that were there):
--   psql DATABASE -f sql/roles/analyst.sql
--   GRANT al_analyst TO somebody;
-- Views read their tables with the rights of the views' owner, so the role needs none on the tables.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'al_analyst') THEN
        CREATE ROLE al_analyst NOLOGIN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO al_analyst', current_schema());
END
$$;
GRANT SELECT ON active_against_random TO al_analyst;
GRANT SELECT ON annotation_classes TO al_analyst;
GRANT SELECT ON annotator_agreement TO al_analyst;
GRANT SELECT ON archive_overview TO al_analyst;
GRANT SELECT ON class_distribution TO al_analyst;
GRANT SELECT ON co_occurrence TO al_analyst;
GRANT SELECT ON confused_pairs TO al_analyst;
GRANT SELECT ON current_predictions TO al_analyst;
GRANT SELECT ON drift_by_site TO al_analyst;
GRANT SELECT ON embedding_map TO al_analyst;
GRANT SELECT ON frame_labels TO al_analyst;
GRANT SELECT ON frame_neighbours TO al_analyst;
GRANT SELECT ON frame_times TO al_analyst;
GRANT SELECT ON human_labels TO al_analyst;
GRANT SELECT ON label_errors TO al_analyst;
GRANT SELECT ON label_provenance TO al_analyst;
GRANT SELECT ON labelling_worth TO al_analyst;
GRANT SELECT ON learning_curve TO al_analyst;
GRANT SELECT ON recordings TO al_analyst;
GRANT SELECT ON resolved_classes TO al_analyst;
GRANT SELECT ON sighting_frames TO al_analyst;
GRANT SELECT ON sighting_runs TO al_analyst;
GRANT SELECT ON sightings TO al_analyst;
GRANT SELECT ON slice_quality TO al_analyst;
GRANT SELECT ON unreviewed_predictions TO al_analyst;
