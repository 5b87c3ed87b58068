package org.uplift;

import jakarta.servlet.Filter;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.operaton.bpm.engine.rest.security.auth.ProcessEngineAuthenticationFilter;
import org.operaton.bpm.engine.rest.security.auth.impl.HttpBasicAuthenticationProvider;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;

/**
 * Runs Operaton with its REST API, open to all below /engine-rest.
 *
 * <p>The same API below /protected/engine-rest needs the Basic credentials of a user of the engine, and grants the
 * rights of that user.
 */
@SpringBootApplication
public class Engine {

  private static final String PROTECTED = "/protected";

  public static void main(String[] arguments) {
    SpringApplication.run(Engine.class, arguments);
  }

  @Bean
  FilterRegistrationBean<Filter> authentication() {
    FilterRegistrationBean<Filter> bean = new FilterRegistrationBean<>(new ProcessEngineAuthenticationFilter());
    bean.addUrlPatterns(PROTECTED + "/*");
    bean.addInitParameter("authentication-provider", HttpBasicAuthenticationProvider.class.getName());
    return bean;
  }

  @Bean
  ServletRegistrationBean<HttpServlet> forwarding() {
    return new ServletRegistrationBean<>(
        new HttpServlet() {
          @Override
          protected void service(HttpServletRequest request, HttpServletResponse response)
              throws ServletException, IOException {
            String path = request.getRequestURI().substring(PROTECTED.length());
            request.getRequestDispatcher(path).forward(request, response);
          }
        },
        PROTECTED + "/*");
  }
}
