package upstream

import "strings"

// The names that a message may use beside plain words. members and fixed values
// are those of the requests to the served endpoints in OpenAI's OpenAPI
// document, with which a test compares them. Neither is ever written to.
var (
	members = set(apiMembers + " " + schemaMembers)
	values  = set(apiValues + " " + spellings)
)

func set(list string) map[string]struct{} {
	m := make(map[string]struct{})
	for w := range strings.FieldsSeq(list) {
		m[w] = struct{}{}
	}
	return m
}

// schemaMembers are keywords of JSON Schema.
const schemaMembers = `additionalProperties patternProperties propertyNames properties items minimum maximum minLength maxLength
minItems maxItems minProperties maxProperties exclusiveMinimum exclusiveMaximum multipleOf uniqueItems anyOf allOf oneOf enum
const definitions default $defs $ref $schema prefixItems unevaluatedProperties`

// spellings are words that look like something else.
const spellings = `e.g i.e OpenAI ChatGPT JavaScript TypeScript JSONSchema UTF-8 utf-8 JSONL boolean`

// apiMembers are the names of members, and so the parts of a parameter's path.
const apiMembers = `
acknowledged_safety_checks action actions allowed_callers allowed_domains allowed_tools always annotations approval_request_id approve approximate
arguments attributes audio authorization background button bytes call_id caller caller_id city code command commands compact_threshold connector_id
container container_id content context context_management conversation country custom data defer_loading definition description detail diff dimensions
display_height display_width domain domain_secrets effort embedding_weight encoding_format encrypted_content end_index env environment error execution
exit_code external_web_access file file_data file_id file_ids file_url filename filters fingerprint format frequency_penalty function function_call
functions generate_summary grammar headers hybrid_search id image_url include include_obfuscation include_usage index input input_audio input_fidelity
input_image_mask input_schema instructions json_schema key keys logit_bias logprob logprobs logs max_completion_tokens max_num_results
max_output_length max_output_tokens max_tokens max_tool_calls media_type memory_limit message messages metadata modalities mode model moderation n
name namespace network_policy never operation outcome output output_compression output_format output_schema outputs parallel_tool_calls parameters
partial_images path pattern pending_safety_checks phase policy prediction presence_penalty previous_response_id prompt prompt_cache_breakpoint
prompt_cache_key prompt_cache_options prompt_cache_retention quality queries query ranker ranking_options read_only reason reasoning reasoning_effort
refusal region require_approval response_format result results role safety_identifier schema score score_threshold scroll_x scroll_y
search_content_types search_context_size seed server_description server_label server_url service_tier size skill_id skills source sources start_index
status stderr stdout stop store stream stream_options strict summary syntax temperature text text_weight timeout_ms timezone title token tool_call_id
tool_calls tool_choice tool_names tools top_logprobs top_p truncation ttl tunnel_id type url user user_location value variables vector_store_ids
verbosity version voice web_search_options working_directory x y`

// apiValues are fixed values that are no plain words.
const apiValues = `
additional_tools all_turns apply_patch apply_patch_call apply_patch_call_output base64 code_interpreter code_interpreter_call compaction_trigger
computer_call computer_call_output computer_screenshot computer_use computer_use_preview connector_dropbox connector_gmail connector_googlecalendar
connector_googledrive connector_microsoftteams connector_outlookcalendar connector_outlookemail connector_sharepoint container_auto
container_file_citation container_reference create_file current_turn custom_tool_call custom_tool_call_output delete_file double_click file_citation
file_path file_search file_search_call final_answer find_in_page function_call_output http_error image_generation image_generation_call in_memory
in_progress input_file input_image input_text item_reference json_object local_shell local_shell_call local_shell_call_output mcp_approval_request
mcp_approval_response mcp_call mcp_list_tools mcp_protocol_error mcp_tool_execution_error mp3 open_page output_text pcm16 program_output
programmatic_tool_calling reasoning_text shell_call shell_call_output skill_reference summary_text tool_search tool_search_call tool_search_output
update_file url_citation web_search web_search_2025_08_26 web_search_call web_search_preview web_search_preview_2025_03_11`
