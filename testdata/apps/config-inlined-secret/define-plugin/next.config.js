const withMDX = require('@next/mdx')();

module.exports = withMDX({
  publicRuntimeConfig: {
    stripe: process.env.STRIPE_SECRET_KEY, // want "config-inlined-secret"
  },
  webpack(config, { webpack }) {
    config.plugins.push(
      new webpack.DefinePlugin({
        'process.env.OPENAI_API_KEY': JSON.stringify(process.env.OPENAI_API_KEY), // want "config-inlined-secret"
      }),
    );
    return config;
  },
});
