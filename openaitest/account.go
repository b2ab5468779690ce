package openaitest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// accountHeaders sets what OpenAI and the network before it put on every answer,
// the parts that tell about the account among them.
func (x *exchange) accountHeaders() {
	s, h := x.sim, x.w.Header()
	x.requestID = s.ids.hex("req_", 32)
	h.Set("X-Request-Id", x.requestID)
	h.Set("Openai-Organization", s.organization)
	h.Set("Openai-Project", s.project)
	h.Set("Openai-Version", "2020-10-01")
	h.Set("Openai-Processing-Ms", strconv.FormatUint(40+hashOf(x.requestID)%400, 10))
	h.Set("X-Ratelimit-Limit-Requests", "10000")
	h.Set("X-Ratelimit-Limit-Tokens", "2000000")
	h.Set("X-Ratelimit-Remaining-Requests", "9999")
	h.Set("X-Ratelimit-Remaining-Tokens", strconv.Itoa(2000000-len(x.body)/4))
	h.Set("X-Ratelimit-Reset-Requests", "6ms")
	h.Set("X-Ratelimit-Reset-Tokens", "0s")
	expires := s.now().Add(30 * time.Minute).UTC().Format(http.TimeFormat)
	h["Set-Cookie"] = []string{
		s.ids.base62("__cf_bm=", 43) + "; path=/; expires=" + expires + "; domain=.api.openai.com; HttpOnly; Secure; SameSite=None",
		s.ids.base62("_cfuvid=", 43) + "; path=/; domain=.api.openai.com; HttpOnly; Secure; SameSite=None",
	}
	h.Set("Cf-Ray", s.ids.hex("", 16)+"-FRA")
	h.Set("Cf-Cache-Status", "DYNAMIC")
	h.Set("Server", "cloudflare")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Alt-Svc", `h3=":443"; ma=86400`)
}

// authenticate reads the bearer key and refuses as OpenAI does.
func (x *exchange) authenticate() *apiError {
	scheme, key, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return &apiError{
			Status: http.StatusUnauthorized, Type: "invalid_request_error",
			Message: "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). " +
				"You can obtain an API key from https://platform.openai.com/account/api-keys.",
		}
	}
	x.key = key
	if x.isAdministration() {
		return x.administrator()
	}
	project, ok := x.sim.known(key)
	if !ok {
		return incorrectKey(key)
	}
	x.w.Header().Set("Openai-Project", project)
	return nil
}

// MaskKey returns a key in the form in which OpenAI repeats it in its 401: the
// first five and the last four characters with stars between them. That is still
// more than a caller of a gateway may see.
func MaskKey(key string) string {
	if len(key) < 12 {
		return strings.Repeat("*", len(key))
	}
	return key[:5] + "***..." + key[len(key)-4:]
}

func incorrectKey(key string) *apiError {
	return &apiError{
		Status: http.StatusUnauthorized, Type: "invalid_request_error", Code: "invalid_api_key",
		Message: "Incorrect API key provided: " + MaskKey(key) + ". You can find your API key at https://platform.openai.com/account/api-keys.",
	}
}
