-- A SQL Server or Azure SQL role that may read the views and nothing else. Run it in the database as its owner:
--   sqlcmd -S SERVER -d DATABASE -i sql/roles/analyst_sql_server.sql
--   ALTER ROLE al_analyst ADD MEMBER somebody;
-- An upgrade keeps the grants of the views that were there; run it again after one that adds a view. Views and tables
-- have one owner, so the role needs no right on the tables.
IF DATABASE_PRINCIPAL_ID('al_analyst') IS NULL CREATE ROLE al_analyst;
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
