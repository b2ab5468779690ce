-- +goose Up
ALTER TABLE claviger_usage ADD COLUMN image_input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN audio_input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN audio_output INTEGER NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN characters INTEGER NOT NULL DEFAULT 0;
ALTER TABLE claviger_usage ADD COLUMN tool_calls INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE claviger_usage DROP COLUMN tool_calls;
ALTER TABLE claviger_usage DROP COLUMN characters;
ALTER TABLE claviger_usage DROP COLUMN seconds;
ALTER TABLE claviger_usage DROP COLUMN audio_output;
ALTER TABLE claviger_usage DROP COLUMN audio_input;
ALTER TABLE claviger_usage DROP COLUMN image_input;
