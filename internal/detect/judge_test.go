package detect

import (
	"encoding/base64"
	"strings"
	"testing"
)

func jwtOf(payload string) string {
	return "eyJ" + noise(30, mixed) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + noise(43, withDash)
}

func TestWeigh(t *testing.T) {
	full := func() string { return noise(74, withDash) + mark + noise(74, withDash) }
	for range 200 {
		for _, c := range []struct {
			text string
			want Weight
		}{
			{"sk-proj-" + full(), WeightSecret},
			{"sk-svcacct-" + full(), WeightSecret},
			{"sk-" + noise(20, mixed) + mark + noise(20, mixed), WeightSecret},
			{"sk-ant-api03-" + noise(93, withDash), WeightSecret},
			{"AKIA" + noise(16, capitals), WeightSecret},
			{"sk-" + noise(48, mixed), WeightUnsure},
			{"AIza" + noise(35, withDash), WeightUnsure},
			{jwtOf(`{"role":"service_role"}`), WeightSecret},
			{jwtOf(`{"role":"anon"}`), WeightNone},
			{jwtOf(`{"iss":"supabase-demo","role":"service_role"}`), WeightNone},
			{jwtOf(`{"sub":"1"}`), WeightUnsure},
			{pemBlock(""), WeightSecret},
			{"org-" + noise(24, mixed), WeightNone},
		} {
			found := Find(c.text)
			if len(found) != 1 {
				t.Fatalf("%d found", len(found))
			}
			if got := Weigh(c.text, found[0]); got != c.want {
				t.Fatalf("%s of %d bytes (%.12s…) weighs %d, want %d", found[0].Kind, len(c.text), c.text, got, c.want)
			}
		}
	}
	for _, s := range []string{
		"sk-proj-abcdefghijklmnopqrstuvwxyz" + mark + "abcdefghijklmnopqrstuvwxyz", "sk-test-" + strings.Repeat("1a", 20) + mark,
		"sk-your-key-here-" + noise(20, mixed) + mark + noise(20, mixed), "sk-fake-" + noise(20, mixed) + mark + noise(20, mixed),
		"sk-" + strings.Repeat("aB1c", 12) + mark, "AKIAIOSFODNN7EXAMPLE",
	} {
		for _, m := range Find(s) {
			if w := Weigh(s, m); w != WeightNone {
				t.Errorf("%q weighs %d", s, w)
			}
		}
	}
}

func TestWeighName(t *testing.T) {
	for name, want := range map[string]Weight{
		"OPENAI_API_KEY": WeightSecret, "NEXT_PUBLIC_OPENAI_API_KEY": WeightSecret, "VITE_OPENAI_KEY": WeightSecret, "AUTH_SECRET": WeightSecret, "DB_PASSWORD": WeightSecret,
		"SUPABASE_SERVICE_ROLE_KEY": WeightSecret, "RSA_PRIVATE_KEY": WeightSecret, "AWS_SECRET_ACCESS_KEY": WeightSecret, "anthropic_api_key": WeightSecret,
		"RESEND_API_KEY": WeightUnsure, "NEXT_PUBLIC_API_KEY": WeightUnsure, "GITHUB_TOKEN": WeightUnsure, "DATABASE_URL": WeightUnsure,
		"NEXT_PUBLIC_SUPABASE_ANON_KEY": WeightNone, "NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY": WeightNone, "NEXT_PUBLIC_FIREBASE_API_KEY": WeightNone,
		"NEXT_PUBLIC_POSTHOG_KEY": WeightNone, "NEXT_PUBLIC_RECAPTCHA_SITE_KEY": WeightNone, "OPENAI_MODEL": WeightNone, "OPENAI_BASE_URL": WeightNone,
		"MAX_TOKENS": WeightNone, "SECRET_NAME": WeightNone, "NODE_ENV": WeightNone, "NEXT_PUBLIC_SENTRY_DSN": WeightNone, "PUBLIC_": WeightNone, "": WeightNone,
		"NEXT_PUBLIC_OPENAI_MAX_TOKENS": WeightNone, "KEYCLOAK_ID": WeightNone,
	} {
		if got := WeighName(name); got != want {
			t.Errorf("%s weighs %d, want %d", name, got, want)
		}
	}
}

func TestWeighValue(t *testing.T) {
	for range 100 {
		for _, c := range []struct {
			name, value string
			want        Weight
		}{
			{"ANY", "sk-proj-" + noise(74, withDash) + mark + noise(74, withDash), WeightSecret},
			{"AUTH_SECRET", noise(43, withDash), WeightSecret},
			{"RESEND_API_KEY", "re_" + noise(32, mixed), WeightUnsure},
			{"DATABASE_URL", "postgres://app:" + noise(20, mixed) + "@db/app", WeightSecret},
			{"GEMINI_API_KEY", "AIza" + noise(35, withDash), WeightSecret},
			{"NEXT_PUBLIC_FIREBASE_API_KEY", "AIza" + noise(35, withDash), WeightNone},
			{"NEXT_PUBLIC_SUPABASE_ANON_KEY", jwtOf(`{"role":"anon"}`), WeightNone},
			{"NEXT_PUBLIC_SUPABASE_KEY", jwtOf(`{"role":"service_role"}`), WeightSecret},
		} {
			if got, _ := WeighValue(c.name, c.value); got != c.want {
				t.Fatalf("%s with %d bytes (%.6s…) weighs %d, want %d", c.name, len(c.value), c.value, got, c.want)
			}
		}
	}
	for name, value := range map[string]string{
		"OPENAI_API_KEY": "sk-...", "AUTH_SECRET": "changeme", "DATABASE_URL": "postgres://postgres:postgres@localhost:5432/app", "SHOW_SECRET": "true",
		"SECRET_LENGTH": "32", "STRIPE_SECRET": "https://example.com", "KEY_FILE": "/run/secrets/key", "NEXT_PUBLIC_STRIPE_KEY": "pk_live_" + noise(24, mixed), "PASSWORD": "12345", "POSTGRES_PASSWORD": "postgres", "NEXTAUTH_SECRET": "development-only-value",
	} {
		if got, kind := WeighValue(name, value); got != WeightNone {
			t.Errorf("%s=%s weighs %d (%s)", name, value, got, kind)
		}
	}
}
