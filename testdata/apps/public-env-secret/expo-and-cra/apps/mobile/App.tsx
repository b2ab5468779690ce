export const secret = process.env.EXPO_PUBLIC_ANTHROPIC_API_KEY; // want "public-env-secret"
