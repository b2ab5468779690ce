package openaitest

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// apiError is an answer in OpenAI's error shape.
type apiError struct {
	Status                     int
	Message, Type, Param, Code string
}

func (e *apiError) Error() string { return strconv.Itoa(e.Status) + ": " + e.Message }

type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (e *apiError) object() errorObject {
	return errorObject{Message: e.Message, Type: e.Type, Param: orNull(e.Param), Code: orNull(e.Code)}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// badRequest is a 400 about one parameter.
func badRequest(param, code, format string, args ...any) *apiError {
	return &apiError{
		Status: http.StatusBadRequest, Type: "invalid_request_error",
		Message: fmt.Sprintf(format, args...), Param: param, Code: code,
	}
}

func missing(param string) *apiError {
	return badRequest(param, "missing_required_parameter", "Missing required parameter: '%s'.", param)
}

func unknownURL(method, path string) *apiError {
	return &apiError{
		Status: http.StatusNotFound, Type: "invalid_request_error",
		Message: "Invalid URL (" + method + " " + path + ")",
	}
}

func wrongMethod(method, path string) *apiError {
	return &apiError{
		Status: http.StatusMethodNotAllowed, Type: "invalid_request_error", Code: "method_not_supported",
		Message: "Not allowed to " + method + " on " + path + ".",
	}
}

func unknownModel(model string) *apiError {
	return &apiError{
		Status: http.StatusNotFound, Type: "invalid_request_error", Code: "model_not_found",
		Message: "The model `" + model + "` does not exist or you do not have access to it.",
	}
}

// decode reads a request body into v, a struct, and refuses what OpenAI refuses:
// broken JSON, unknown members, wrong types.
func decode(body []byte, v any) *apiError {
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var sem *json.SemanticError
	if !errors.As(err, &sem) {
		return badRequest("", "", "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.")
	}
	return semanticError(sem, "")
}

// decodePart reads a nested value and tolerates members it does not know.
// The name is the value's place, for instance "text".
func decodePart(raw jsontext.Value, v any, name string) *apiError {
	err := json.Unmarshal(raw, v)
	if err == nil {
		return nil
	}
	var sem *json.SemanticError
	if !errors.As(err, &sem) {
		return badRequest(name, "invalid_value", "Invalid value for '%s'.", name)
	}
	return semanticError(sem, name)
}

func semanticError(sem *json.SemanticError, prefix string) *apiError {
	param := paramOf(prefix, sem.JSONPointer)
	if errors.Is(sem, json.ErrUnknownName) {
		return badRequest(param, "unknown_parameter", "Unknown parameter: '%s'.", param)
	}
	return badRequest(param, "invalid_type", "Invalid type for '%s': expected %s, but got %s instead.",
		param, goKind(sem.GoType), jsonKind(sem.JSONKind, sem.GoType))
}

// paramOf writes a JSON pointer in OpenAI's notation: messages[0].role.
func paramOf(prefix string, p jsontext.Pointer) string {
	var b strings.Builder
	b.WriteString(prefix)
	for tok := range p.Tokens() {
		if _, err := strconv.Atoi(tok); err == nil {
			b.WriteString("[" + tok + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(tok)
	}
	return b.String()
}

func goKind(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "another type"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a decimal"
	case reflect.Slice:
		return "an array"
	default:
		return "an object"
	}
}

func jsonKind(k jsontext.Kind, t reflect.Type) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		if goKind(t) == "an integer" {
			return "a decimal number"
		}
		return "a number"
	case 't', 'f':
		return "a boolean"
	case '[':
		return "an array"
	case '{':
		return "an object"
	case 'n':
		return "null"
	default:
		return "another type"
	}
}
