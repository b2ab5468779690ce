-- +goose Up
ALTER TABLE claviger_usage ADD COLUMN image_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN audio_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN audio_output BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN seconds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN characters BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN tool_calls BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE claviger_usage DROP COLUMN tool_calls;
ALTER TABLE claviger_usage DROP COLUMN characters;
ALTER TABLE claviger_usage DROP COLUMN seconds;
ALTER TABLE claviger_usage DROP COLUMN audio_output;
ALTER TABLE claviger_usage DROP COLUMN audio_input;
ALTER TABLE claviger_usage DROP COLUMN image_input;
