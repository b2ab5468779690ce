package upstream

import (
	"fmt"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/testnet"
)

func checkCanary(t *testing.T, content, canary string) {
	t.Helper()
	for _, status := range []string{"400 Bad Request", "401 Unauthorized", "404 Not Found", "422 Unprocessable Entity", "429 Too Many Requests", "500 Internal Server Error"} {
		s := testnet.Serve(t, answers(plain(status, typeJSON, content)))
		_, err := call(t.Context(), newClient(t, s, newPool(1), nil), false)
		e := claviger.AsError(err)
		if e == nil {
			t.Fatal("no error")
		}
		if shown := fmt.Sprintf("%v %+v %s %s %s", err, *e, e.Sentence(), e.Param, e.UpstreamCode); strings.Contains(shown, canary) {
			t.Errorf("%s %s: %s", status, content, shown)
		}
	}
}
