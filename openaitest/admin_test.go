package openaitest_test

import (
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger/openaitest"
)

// TestAdministration creates a service account, uses its key, and deletes it, held
// against OpenAI's document.
func TestAdministration(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{Keys: []string{"sk-first-0123456789"}, AdminKeys: []string{"sk-admin-0"}, Project: "proj_one"})
	ask := func(method, path, key string, body any, status int) (http.Header, object) {
		t.Helper()
		req := request(t, srv, path, body)
		req.Method = method
		req.Header.Set("Authorization", "Bearer "+key)
		resp, b := send(t, req)
		if resp.StatusCode != status {
			t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, b)
		}
		return resp.Header, decodedAny(t, string(b)).(object)
	}
	const accounts, keys = "/organization/projects/proj_two/service_accounts", "/organization/projects/proj_two/api_keys"
	_, made := ask("POST", accounts, "sk-admin-0", object{"name": "fresh"}, 200)
	d.must(t, "ProjectServiceAccountCreateResponse", made)
	value, id := at(t, made, "api_key", "value").(string), made["id"].(string)
	if h, _ := ask("GET", "/models", value, nil, 200); h.Get("Openai-Project") != "proj_two" {
		t.Errorf("the key answers for %s", h.Get("Openai-Project"))
	}
	if h, _ := ask("GET", "/models", "sk-first-0123456789", nil, 200); h.Get("Openai-Project") != "proj_one" {
		t.Errorf("the first key answers for %s", h.Get("Openai-Project"))
	}
	_, list := ask("GET", accounts, "sk-admin-0", nil, 200)
	d.must(t, "ProjectServiceAccountListResponse", list)
	_, one := ask("GET", accounts+"/"+id, "sk-admin-0", nil, 200)
	d.must(t, "ProjectServiceAccount", one)
	_, list = ask("GET", keys, "sk-admin-0", nil, 200)
	d.must(t, "ProjectApiKeyListResponse", list)
	shown := at(t, list, "data", 0, "redacted_value").(string)
	if at(t, list, "data", 0, "owner", "service_account", "id") != id || strings.Contains(shown, value[10:len(value)-4]) {
		t.Errorf("%v", list)
	}
	keyID := at(t, list, "data", 0, "id").(string)
	_, one = ask("GET", keys+"/"+keyID, "sk-admin-0", nil, 200)
	d.must(t, "ProjectApiKey", one)
	ask("DELETE", keys+"/"+keyID, "sk-admin-0", nil, 400)
	ask("GET", accounts, value, nil, 403)
	ask("GET", accounts, "sk-nobody-0123456789", nil, 401)
	ask("GET", "/models", "sk-admin-0", nil, 401)
	ask("GET", "/organization/projects/other/api_keys", "sk-admin-0", nil, 404)
	ask("POST", accounts, "sk-admin-0", object{"nam": "x"}, 400)
	ask("POST", accounts, "sk-admin-0", object{}, 400)
	_, gone := ask("DELETE", accounts+"/"+id, "sk-admin-0", nil, 200)
	d.must(t, "ProjectServiceAccountDeleteResponse", gone)
	ask("DELETE", accounts+"/"+id, "sk-admin-0", nil, 404)
	ask("GET", "/models", value, nil, 401)
	closed := newServer(t, openaitest.Options{})
	req := request(t, closed, accounts, nil)
	if resp, b := send(t, req); resp.StatusCode != 404 {
		t.Errorf("without an admin key: %d %s", resp.StatusCode, b)
	}
}
