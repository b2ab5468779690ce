package reverse

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestProxy(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.URL.Path+" "+string(b))
	}))
	defer echo.Close()
	u, err := url.Parse(echo.URL)
	if err != nil {
		t.Fatal(err)
	}
	hidden := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }
	large := strings.Repeat("a", MaxBody+1)
	for _, c := range []struct {
		name     string
		buffered bool
		body     io.Reader
		status   int
		answer   string
	}{
		{"buffered", true, strings.NewReader("body"), 200, "/v1/x body"},
		{"buffered, chunked", true, hidden("body"), 200, "/v1/x body"},
		{"streamed", false, hidden("body"), 200, "/v1/x body"},
		{"too large", true, strings.NewReader(large), 413, "body too large\n"},
		{"too large, chunked", true, hidden(large), 413, "body too large\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := httptest.NewServer(New(u, c.buffered))
			defer p.Close()
			resp, err := http.Post(p.URL+"/v1/x", "text/plain", c.body)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || string(b) != c.answer {
				t.Errorf("%d %q %v", resp.StatusCode, b, err)
			}
		})
	}
}
