package openai

import (
	"strconv"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// AppendError appends an error in OpenAI's shape. The types are those that
// OpenAI uses; SDKs choose their exception by the status.
func AppendError(dst []byte, e *claviger.Error) []byte {
	dst = jsonx.AppendString(append(dst, `{"error":{"message":`...), e.Sentence())
	dst = append(dst, `,"type":"`...)
	dst = append(dst, errorType(e.HTTPStatus())...)
	dst = appendOrNull(append(dst, `","code":`...), wireCode(e))
	dst = appendOrNull(append(dst, `,"param":`...), e.Param)
	return append(dst, "}}"...)
}

// wireCode is the provider's code where the caller's own parameters were
// refused upstream, and ours everywhere else.
func wireCode(e *claviger.Error) string {
	if e.Code == claviger.CodeUpstreamInvalid {
		return e.UpstreamCode
	}
	return string(e.Code)
}

func errorType(status int) string {
	switch {
	case status == 403:
		return "permission_error"
	case status == 429:
		return "rate_limit_error"
	case status >= 500:
		return "server_error"
	default:
		return "invalid_request_error"
	}
}

func appendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return jsonx.AppendString(dst, s)
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
